#include "http/systemd.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <map>

#include "http/test_handlers.h"
#include "http/test_socket.h"

namespace carat::http {
namespace {

Lookup lookup(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

TEST(SystemdTest, ServesOnASocketThatWasPassedOn) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const Lookup environment = lookup({{"LISTEN_PID", "77"}, {"LISTEN_FDS", "1"}});
  const auto early = activated_sockets(environment, 77, descriptor);
  ASSERT_FALSE(early);
  EXPECT_NE(early.error().message.find("not a listening stream socket"), std::string::npos);
  ASSERT_EQ(::listen(descriptor, 8), 0);
  const auto sockets = activated_sockets(environment, 77, descriptor);
  ASSERT_TRUE(sockets);
  EXPECT_EQ(*sockets, std::vector<int>{descriptor});
  EXPECT_TRUE(activated_sockets(environment, 78, descriptor)->empty()) << "for another process";

  ServerOptions options = test_options();
  options.activated_sockets = *sockets;
  Router router;
  router.add("GET", "/a", echo());
  const Server server = start_server(std::move(router), options);
  RawClient client(server.port());
  EXPECT_EQ(client.ask("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")->status, 200U);
}

TEST(SystemdTest, RefusesNumbersThatAreNone) {
  for (const char* count : {"", "x", "-1", "17", "1x", "99999999999"}) {
    EXPECT_FALSE(activated_sockets(lookup({{"LISTEN_PID", "7"}, {"LISTEN_FDS", count}}), 7)) << count;
  }
  EXPECT_TRUE(activated_sockets(lookup({}), 7)->empty());
  EXPECT_TRUE(activated_sockets(lookup({{"LISTEN_PID", "7"}, {"LISTEN_FDS", "0"}}), 7)->empty());
}

TEST(SystemdTest, NotifiesWhoAsked) {
  const std::string path = testing::TempDir() + "carat_notify_" + std::to_string(::getpid());
  const std::string abstract = "@carat-notify-test-" + std::to_string(::getpid());
  for (const std::string& name : {path, abstract}) {
    const int receiver = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    ASSERT_EQ(::bind(receiver, reinterpret_cast<sockaddr*>(&address), size), 0);
    const ServiceNotifier notifier(lookup({{"NOTIFY_SOCKET", name}, {"WATCHDOG_USEC", "3000000"}}));
    EXPECT_TRUE(notifier.is_wanted());
    EXPECT_EQ(notifier.watchdog(), std::chrono::seconds(3));
    EXPECT_TRUE(notifier.notify("READY=1"));
    char text[32] = {};
    EXPECT_EQ(::recv(receiver, text, sizeof text - 1, 0), 7);
    EXPECT_STREQ(text, "READY=1");
    ::close(receiver);
    EXPECT_FALSE(notifier.notify("STOPPING=1"));
  }
  std::filesystem::remove(path);
}

TEST(SystemdTest, DoesNothingWhereNobodyAsked) {
  const ServiceNotifier notifier(lookup({{"WATCHDOG_USEC", "5"}, {"WATCHDOG_PID", "1"}}));
  EXPECT_FALSE(notifier.is_wanted());
  EXPECT_FALSE(notifier.notify("READY=1"));
  EXPECT_EQ(notifier.watchdog(), std::nullopt);
  EXPECT_FALSE(ServiceNotifier(lookup({{"NOTIFY_SOCKET", "relative"}})).notify("READY=1"));
}

}  // namespace
}  // namespace carat::http
