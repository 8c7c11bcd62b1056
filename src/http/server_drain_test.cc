#include <gtest/gtest.h>

#include <thread>

#include "http/server.h"
#include "http/test_handlers.h"
#include "http/test_socket.h"

namespace carat::http {
namespace {

using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

Router router_of(HeldRequests& held) {
  Router router;
  router.add("GET", "/a", held.handler());
  router.add("GET", "/now", echo());
  return router;
}

TEST(ServerDrainTest, RunningRequestsFinishAndIdleConnectionsEnd) {
  HeldRequests held;
  Server server = start_server(router_of(held));
  RawClient idle(server.port());
  ASSERT_TRUE(idle.ask("GET /now HTTP/1.1\r\nHost: h\r\n\r\n"));
  RawClient silent(server.port());
  RawClient busy(server.port());
  busy.send(kGet);
  ASSERT_TRUE(held.arrived.wait_for(1));

  std::size_t cut = 99;
  std::thread draining([&] { cut = server.drain(10min); });
  EXPECT_TRUE(idle.is_closed_by_server());
  EXPECT_TRUE(silent.is_closed_by_server());
  EXPECT_EQ(held.stopped.count(), 0U);
  held.responder(0).send({.body = "finished"});
  const auto answer = busy.read_answer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "finished");
  EXPECT_EQ(answer->header("connection"), "close");
  EXPECT_TRUE(busy.is_closed_by_server());
  busy.close();
  draining.join();
  EXPECT_EQ(cut, 0U);
  EXPECT_EQ(server.statistics().connections, 0U);
  held.clear();
}

TEST(ServerDrainTest, AtTheDeadlineRequestsAreToldToStop) {
  HeldRequests held;
  Server server = start_server(router_of(held));
  RawClient client(server.port());
  client.send(kGet);
  ASSERT_TRUE(held.arrived.wait_for(1));
  std::size_t cut = 99;
  std::thread draining([&] { cut = server.drain(0ms, 10min); });
  ASSERT_TRUE(held.stopped.wait_for(1));
  EXPECT_TRUE(held.responder(0).send({.status = 503, .body = "sorry"})) << "the client is still there";
  EXPECT_EQ(client.read_answer()->body, "sorry");
  client.close();
  draining.join();
  EXPECT_EQ(cut, 0U);
  held.clear();
}

TEST(ServerDrainTest, WhatDoesNotStopIsCut) {
  HeldRequests held;
  Server server = start_server(router_of(held));
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(server.port());
    clients.back().send(kGet);
  }
  ASSERT_TRUE(held.arrived.wait_for(3));
  EXPECT_EQ(server.drain(0ms, 0ms), 3U);
  for (RawClient& client : clients) EXPECT_FALSE(client.read_answer());
  EXPECT_TRUE(held.stopped.wait_for(3));
  EXPECT_EQ(server.drain(10min), 0U) << "again, with nothing left";
  held.clear();
}

TEST(ServerDrainTest, NothingIsAcceptedAfterwards) {
  HeldRequests held;
  Server server = start_server(router_of(held));
  const std::uint16_t port = server.port();
  EXPECT_EQ(server.drain(10min), 0U);
  ServerOptions options = test_options();
  options.port = port;
  EXPECT_TRUE(Server::listen(options).has_value()) << "the port is free again";
}

}  // namespace
}  // namespace carat::http
