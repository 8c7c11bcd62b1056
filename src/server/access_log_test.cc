#include "server/access_log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/json/parse.hpp>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

namespace carat::server {
namespace {

http::ServerRequest request() {
  http::ServerRequest request;
  request.method = "POST";
  request.path = "/v1/models/secret";
  request.route = "/v1/models/{id...}";
  request.queries = {{"secret", "secret"}};
  request.body = "secret";
  request.peer.address = "127.0.0.1";
  request.id = "abc";
  return request;
}

TEST(AccessLogTest, LinesHaveNothingThatSomebodyWrote) {
  const http::ServerRequest asked = request();
  const http::AccessEntry entry{asked, 200, 17, true, std::chrono::milliseconds(1500)};
  EXPECT_EQ(access_line(entry, "T", false), "T 127.0.0.1 POST /v1/models/{id...} 200 17 bytes 1.500 s abc");
  EXPECT_EQ(boost::json::parse(access_line(entry, "T", true)),
            boost::json::parse(R"({"time": "T", "event": "request", "peer": "127.0.0.1", "method": "POST",
                "route": "/v1/models/{id...}", "status": 200, "bytes": 17, "seconds": 1.5, "complete": true,
                "request_id": "abc"})"));
}

TEST(AccessLogTest, WritesInOrder) {
  std::vector<std::string> lines;
  {
    AccessLog log({.as_json = false,
                   .write = [&](std::string_view line) { lines.emplace_back(line); },
                   .time = [] { return std::string("T"); }});
    for (int i = 0; i < 100; ++i) log.record_failure(std::to_string(i), "x");
  }
  ASSERT_EQ(lines.size(), 100U);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(lines[static_cast<std::size_t>(i)], "T " + std::to_string(i) + ": x");
}

TEST(TaskThreadTest, DropsWhatIsTooMuch) {
  std::mutex gate;
  int ran = 0;
  std::atomic<bool> has_begun{false};
  {
    TaskThread thread(2);
    std::unique_lock lock(gate);
    ASSERT_TRUE(thread.post([&] {
      has_begun = true;
      const std::scoped_lock wait(gate);
      ++ran;
    }));
    while (!has_begun) std::this_thread::yield();
    EXPECT_TRUE(thread.post([&] { ++ran; }));
    EXPECT_TRUE(thread.post([&] { ++ran; }));
    EXPECT_FALSE(thread.post([&] { ++ran; }));
  }
  EXPECT_EQ(ran, 3);
}

}  // namespace
}  // namespace carat::server
