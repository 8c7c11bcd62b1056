// Clients that leave, in every way and at every byte, and clients that do not read: F23.
#include <gtest/gtest.h>

#include <atomic>

#include "http/server.h"
#include "http/test_handlers.h"
#include "http/test_socket.h"

namespace carat::http {
namespace {

constexpr std::string_view kGet = "GET /s HTTP/1.1\r\nHost: h\r\n\r\n";

Router router_of(const Handler& handler, HalfClose half_close = HalfClose::kCancels) {
  Router router;
  router.add("GET", "/s", handler, {.half_close = half_close});
  return router;
}

void begin_stream(const Responder& responder) {
  responder.start_stream(200, {{"Content-Type", "text/plain"}});
  for (int i = 0; i < 4; ++i) responder.write("event " + std::to_string(i) + "\n");
}

TEST(ServerCancelTest, AClientGoneAtAnyByteOfAStreamStopsIt) {
  HeldRequests held;
  const Server server = start_server(router_of(held.handler(begin_stream)));
  std::size_t stream_bytes = 0;  // of what is sent while it runs
  {
    RawClient client(server.port());
    client.send(kGet);
    std::string text;
    while (!text.ends_with("event 3\n\r\n")) ASSERT_TRUE(client.read_exactly(1, text));
    stream_bytes = text.size();
  }
  ASSERT_GT(stream_bytes, 200U);
  ASSERT_TRUE(held.stopped.wait_for(1));
  for (std::size_t count = 0; count <= stream_bytes; ++count) {
    RawClient client(server.port());
    client.send(kGet);
    std::string text;
    ASSERT_TRUE(client.read_exactly(count, text));
    if (count % 3 == 0) {
      client.close();
    } else if (count % 3 == 1) {
      client.reset();
    } else {
      client.half_close();
    }
    // A reset may overtake the request itself, which then never was.
    if (count == 0) continue;
    ASSERT_TRUE(held.stopped.wait_for(count)) << count;
  }
  const std::size_t arrived = held.arrived.count();
  EXPECT_GE(arrived, stream_bytes + 1);
  EXPECT_TRUE(held.stopped.wait_for(arrived));
  for (std::size_t i = 0; i < stream_bytes; ++i) EXPECT_FALSE(held.responder(i).write("more"));
  held.clear();
}

TEST(ServerCancelTest, AClientGoneBeforeTheAnswerStopsItsWork) {
  HeldRequests held;
  const Server server = start_server(router_of(held.handler()));
  RawClient closing(server.port());
  RawClient resetting(server.port());
  RawClient half_closing(server.port());
  for (RawClient* client : {&closing, &resetting, &half_closing}) client->send(kGet);
  ASSERT_TRUE(held.arrived.wait_for(3));
  EXPECT_EQ(held.stopped.count(), 0U);
  closing.close();
  EXPECT_TRUE(held.stopped.wait_for(1));
  resetting.reset();
  EXPECT_TRUE(held.stopped.wait_for(2));
  half_closing.half_close();
  EXPECT_TRUE(held.stopped.wait_for(3));
  EXPECT_FALSE(held.responder(0).send({.body = "late"}));
  EXPECT_TRUE(half_closing.is_closed_by_server());
  held.clear();
}

TEST(ServerCancelTest, ARouteMayAnswerAClientThatHalfClosed) {
  HeldRequests held;
  const Server server = start_server(router_of(held.handler(), HalfClose::kIgnored));
  RawClient client(server.port());
  client.send(kGet);
  client.half_close();
  ASSERT_TRUE(held.arrived.wait_for(1));
  EXPECT_TRUE(held.responder(0).send({.body = "still"}));
  EXPECT_EQ(client.read_answer()->body, "still");
  EXPECT_TRUE(client.is_closed_by_server());
  EXPECT_EQ(held.stopped.count(), 0U);

  RawClient leaving(server.port());
  leaving.send(kGet);
  ASSERT_TRUE(held.arrived.wait_for(2));
  leaving.half_close();
  leaving.reset();
  EXPECT_TRUE(held.stopped.wait_for(1)) << "a reset is noticed all the same";
  held.clear();
}

TEST(ServerCancelTest, WhatWasAnsweredAtOnceIsSentThoughTheClientHalfClosed) {
  Router router;
  router.add("GET", "/s", echo(), {.run_on = RunOn::kIoThread});
  const Server server = start_server(std::move(router));
  RawClient client(server.port());
  client.send(kGet);
  client.half_close();
  EXPECT_EQ(client.read_answer()->body, "GET /s ");
}

TEST(ServerCancelTest, AStreamThatIsNotReadIsCutAtItsBudget) {
  HeldRequests held;
  ServerOptions options = test_options();
  options.limits.most_unsent_bytes = 100'000;
  const Server server =
      start_server(router_of(held.handler([](const Responder& r) { r.start_stream(200, {}); })), options);
  RawClient client(server.port());
  client.send(kGet);
  ASSERT_TRUE(held.arrived.wait_for(1));
  const Responder responder = held.responder(0);
  const std::string part(10'000, 'x');
  // The kernel takes some megabytes; then they wait here, and then it is over.
  std::size_t written = 0;
  while (responder.write(part)) ++written;
  EXPECT_GE(written, 9U) << "one less than the budget, for the chunks' own bytes";
  EXPECT_TRUE(held.stopped.wait_for(1));
  EXPECT_FALSE(responder.write(part));
  EXPECT_FALSE(responder.end());
  held.clear();
}

TEST(ServerCancelTest, AnAnswerThatIsNotReadIsCutInTime) {
  HeldRequests held;
  EventCount answered;
  std::atomic<bool> is_complete = true;
  ServerOptions options = test_options();
  options.limits.write_timeout = std::chrono::milliseconds(20);
  options.on_answer = [&](const AccessEntry& entry) {
    is_complete = entry.complete;
    answered.add();
  };
  const Server server = start_server(router_of(held.handler()), options);
  RawClient client(server.port());
  client.send(kGet);
  ASSERT_TRUE(held.arrived.wait_for(1));
  held.responder(0).send({.body = std::string(std::size_t{64} << 20, 'x')});
  EXPECT_TRUE(held.stopped.wait_for(1));
  EXPECT_TRUE(answered.wait_for(1));
  EXPECT_FALSE(is_complete);
  held.clear();
}

TEST(ServerCancelTest, RespondersMayOutliveTheServer) {
  HeldRequests held;
  {
    const Server server = start_server(router_of(held.handler(begin_stream)));
    RawClient client(server.port());
    client.send(kGet);
    ASSERT_TRUE(held.arrived.wait_for(1));
  }
  EXPECT_TRUE(held.stopped.wait_for(1));
  EXPECT_FALSE(held.responder(0).write("late"));
  held.clear();
}

}  // namespace
}  // namespace carat::http
