// What a server holds against many, slow and silent clients.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>

#include "http/server.h"
#include "http/test_handlers.h"
#include "http/test_socket.h"

namespace carat::http {
namespace {

using std::chrono_literals::operator""ms;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

Router echo_router() {
  Router router;
  router.add("GET", "/a", echo());
  router.add("POST", "/a", echo());
  return router;
}

TEST(ServerLimitsTest, ASlowHeadIsRefused) {
  ServerOptions options = test_options();
  options.limits.header_timeout = 20ms;
  const Server server = start_server(echo_router(), options);
  RawClient client(server.port());
  client.send("GET /a HTTP/1.1\r\nHo");
  EXPECT_EQ(client.read_answer()->status, 408U);
  EXPECT_TRUE(client.is_closed_by_server());
  RawClient second(server.port());
  ASSERT_TRUE(second.ask(kGet));
  second.send("GET");
  EXPECT_EQ(second.read_answer()->status, 408U) << "on a connection that was used before too";
}

TEST(ServerLimitsTest, ASlowBodyIsRefused) {
  ServerOptions options = test_options();
  options.limits.body_timeout = 20ms;
  const Server server = start_server(echo_router(), options);
  RawClient client(server.port());
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
  EXPECT_EQ(client.read_answer()->status, 408U);
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST(ServerLimitsTest, AnIdleConnectionIsClosedWithoutAWord) {
  ServerOptions options = test_options();
  options.limits.idle_timeout = 20ms;
  const Server server = start_server(echo_router(), options);
  RawClient silent(server.port());
  EXPECT_TRUE(silent.is_closed_by_server());
  RawClient client(server.port());
  client.send(kGet);
  EXPECT_EQ(client.read_answer()->status, 200U);
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST(ServerLimitsTest, ConnectionsAboveTheLimitAreTurnedAway) {
  ServerOptions options = test_options();
  options.limits.most_connections = 2;
  const Server server = start_server(echo_router(), options);
  RawClient first(server.port());
  ASSERT_TRUE(first.ask(kGet));
  {
    RawClient second(server.port());
    ASSERT_TRUE(second.ask(kGet));
    RawClient third(server.port());
    const auto answer = third.read_answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 503U);
    EXPECT_EQ(answer->header("retry-after"), "1");
    EXPECT_EQ(server.statistics().refused, 1U);
  }
  ASSERT_TRUE(reaches([&] { return server.statistics().connections == 1; }));
  RawClient fourth(server.port());
  EXPECT_EQ(fourth.ask(kGet)->status, 200U);
}

TEST(ServerLimitsTest, BodiesAreBoundedOverAllRequests) {
  HeldRequests held;
  Router router;
  router.add("POST", "/a", held.handler());
  ServerOptions options = test_options();
  options.limits.most_buffered_body_bytes = 1000;
  const Server server = start_server(std::move(router), options);
  const std::string text =
      "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 600\r\n\r\n" + std::string(600, 'x');
  RawClient first(server.port());
  first.send(text);
  ASSERT_TRUE(held.arrived.wait_for(1));
  RawClient second(server.port());
  const auto refused = second.ask(text);
  EXPECT_EQ(refused->status, 503U);
  EXPECT_EQ(refused->header("retry-after"), "1");
  held.responder(0).send({.body = "done"});
  EXPECT_EQ(first.read_answer()->body, "done");
  // A handler that keeps its request keeps the bytes.
  ASSERT_TRUE(reaches([&] { return server.statistics().buffered_bytes == 600; }));
  held.clear();
  ASSERT_TRUE(reaches([&] { return server.statistics().buffered_bytes == 0; }));
  RawClient third(server.port());
  third.send(text);
  ASSERT_TRUE(held.arrived.wait_for(2));
  held.clear();
  EXPECT_EQ(third.read_answer()->status, 500U);
}

TEST(ServerLimitsTest, ReadAheadIsBounded) {
  HeldRequests held;
  Router router;
  router.add("GET", "/a", held.handler());
  ServerOptions options = test_options();
  options.limits.most_pipelined_bytes = 1000;
  const Server server = start_server(std::move(router), options);
  RawClient client(server.port());
  std::string text;
  for (int i = 0; i < 1000; ++i) text += kGet;
  client.send(text);
  for (std::size_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(held.arrived.wait_for(i + 1));
    EXPECT_LT(server.statistics().buffered_bytes, 1000U + 2 * 8192U);
    held.responder(i).send({.body = std::to_string(i)});
  }
  for (std::size_t i = 0; i < 1000; ++i) EXPECT_EQ(client.read_answer()->body, std::to_string(i));
  held.clear();
}

TEST(ServerLimitsTest, AThousandIdleConnectionsTakeLittleMemory) {
  constexpr std::size_t kConnections = 1000;
  constexpr rlim_t kDescriptors = 2 * kConnections + 200;  // both ends are in this process
  rlimit limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max < kDescriptors) GTEST_SKIP() << "this process may not open " << kDescriptors << " files";
  limit.rlim_cur = std::max(limit.rlim_cur, kDescriptors);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);

  const Server server = start_server(echo_router());
  std::vector<RawClient> clients;
  clients.reserve(kConnections);
  const std::size_t before = ::mallinfo2().uordblks;  // 0 under a sanitizer, which has its own allocator
  for (std::size_t i = 0; i < kConnections; ++i) {
    clients.emplace_back(server.port());
    ASSERT_TRUE(clients.back().ask(kGet)) << i;
  }
  EXPECT_EQ(server.statistics().connections, kConnections);
  ASSERT_TRUE(reaches([&] { return server.statistics().requests == 0; }));
  EXPECT_EQ(server.statistics().buffered_bytes, 0U);
  const std::size_t used = ::mallinfo2().uordblks - before;
  EXPECT_LT(used, kConnections * std::size_t{32} * 1024);
  RecordProperty("bytes_per_connection", static_cast<int>(used / kConnections));
}

}  // namespace
}  // namespace carat::http
