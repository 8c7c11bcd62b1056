#include "http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <stdexcept>

#include "http/event_stream.h"
#include "http/json_lines.h"
#include "http/test_handlers.h"
#include "http/test_socket.h"

namespace carat::http {
namespace {

std::string get(std::string_view path, std::string_view headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(headers) + "\r\n";
}

std::string post(std::string_view path, std::string_view body, std::string_view headers = "") {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

Router echo_router() {
  Router router;
  for (const char* path : {"/a", "/b", "/c"}) {
    router.add("GET", path, echo());
    router.add("POST", path, echo(), {.run_on = RunOn::kIoThread, .most_body_bytes = 1000});
  }
  return router;
}

TEST(ServerTest, AnswersOverOneConnection) {
  const Server server = start_server(echo_router());
  RawClient client(server.port());
  const auto first = client.ask(get("/a"));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 200U);
  EXPECT_EQ(first->body, "GET /a ");
  EXPECT_EQ(first->header("content-type"), "text/plain");
  EXPECT_EQ(first->header("connection"), "keep-alive");
  EXPECT_EQ(first->header("date").size(), 29U);
  EXPECT_EQ(first->header("x-request-id").size(), 32U);
  const auto second = client.ask(post("/b", "body"));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->body, "POST /b body");
  EXPECT_NE(second->header("x-request-id"), first->header("x-request-id"));
  EXPECT_EQ(server.statistics().accepted, 1U);
}

TEST(ServerTest, KeepsTheClientsRequestIdWhereItIsOne) {
  const Server server = start_server(echo_router());
  RawClient client(server.port());
  EXPECT_EQ(client.ask(get("/a", "X-Request-Id: a.B-9_\r\n"))->header("x-request-id"), "a.B-9_");
  for (const std::string& bad :
       {std::string("a b"), std::string("a/b"), std::string(65, 'a'), std::string("\xe9")}) {
    EXPECT_EQ(client.ask(get("/a", "X-Request-Id: " + bad + "\r\n"))->header("x-request-id").size(), 32U)
        << bad;
  }
}

TEST(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  const Server server = start_server(echo_router());
  RawClient client(server.port());
  std::string text;
  for (int i = 0; i < 30; ++i) text += post(i % 2 == 0 ? "/a" : "/b", std::to_string(i)) + get("/c");
  client.send(text);
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(client.read_answer()->body,
              std::string(i % 2 == 0 ? "POST /a " : "POST /b ") + std::to_string(i));
    EXPECT_EQ(client.read_answer()->body, "GET /c ");
  }
}

TEST(ServerTest, RequestsInPiecesAreTheSame) {
  const Server server = start_server(echo_router());
  const std::string text =
      post("/a", "hello") +
      "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n1\r\nz\r\n0\r\n\r\n";
  for (std::size_t split = 1; split < text.size(); ++split) {
    RawClient client(server.port());
    client.send(text.substr(0, split));
    client.send(text.substr(split));
    EXPECT_EQ(client.read_answer()->body, "POST /a hello") << split;
    EXPECT_EQ(client.read_answer()->body, "POST /b xyz") << split;
  }
}

TEST(ServerTest, HeadOptionsAndWhatIsNotThere) {
  const Server server = start_server(echo_router());
  RawClient client(server.port());
  const auto head = client.ask("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(head->status, 200U);
  EXPECT_EQ(head->header("content-length"), "8");
  const auto options = client.ask("OPTIONS /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(options->status, 204U);
  EXPECT_EQ(options->header("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(client.ask("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")->status, 204U);
  const auto deleted = client.ask("DELETE /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(deleted->status, 405U);
  EXPECT_EQ(deleted->header("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(client.ask(get("/nowhere"))->status, 404U);
  EXPECT_EQ(client.ask("OPTIONS /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")->status, 404U);
  EXPECT_EQ(server.statistics().accepted, 1U) << "none of these ends the connection";
}

TEST(ServerTest, RefusalsEndTheConnectionAndCanBeReadWhileABodyIsSent) {
  const Server server = start_server(echo_router());
  const struct {
    std::string text;
    unsigned status;
  } cases[] = {
      {"GET /a HTTP/1.1\r\n\r\n", 400},
      {"GET /a/%2e%2e/b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a HTTP/3.0\r\nHost: h\r\n\r\n", 505},
      {get("/a", "Content-Encoding: br\r\n"), 415},
      {post("/a", std::string(1001, 'x')), 413},
      {post("/nowhere", std::string(200'000, 'x')), 404},
      {get("/" + std::string(9000, 'a')), 414},
      {get("/a", "A: " + std::string(33'000, 'a') + "\r\n"), 431},
      {"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3ff\r\n", 413},
      {"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400},
      {post("/a", "", "Expect: miracle\r\n"), 417},
  };
  for (const auto& c : cases) {
    RawClient client(server.port());
    client.send(c.text + get("/b"));
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer) << c.status;
    EXPECT_EQ(answer->status, c.status);
    EXPECT_EQ(answer->header("connection"), "close") << c.status;
    EXPECT_NE(answer->body.find("\"error\""), std::string::npos);
    EXPECT_TRUE(client.is_closed_by_server()) << c.status;
    EXPECT_EQ(answer->header("accept-encoding"), c.status == 415 ? "identity" : "");
  }
}

TEST(ServerTest, ContinueIsSaidOnlyToWhatIsWanted) {
  const Server server = start_server(echo_router());
  RawClient client(server.port());
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_answer()->status, 100U);
  client.send("hi");
  EXPECT_EQ(client.read_answer()->body, "POST /a hi");
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_answer()->status, 413U);
}

TEST(ServerTest, GuardSeesTheHeadAndDecides) {
  Router router = echo_router();
  std::atomic<bool> throws = false;
  router.set_guard([&](const ServerRequest& request, const Route* route) -> std::expected<Pass, Response> {
    if (throws) throw std::runtime_error("guard");
    EXPECT_TRUE(request.body.empty());
    EXPECT_TRUE(request.peer.is_loopback);
    EXPECT_EQ(request.peer.address, "127.0.0.1");
    if (!request.header("authorization")) return std::unexpected(Response{.status = 401, .body = "who?"});
    EXPECT_EQ(route == nullptr ? "" : route->pattern, request.route);
    return Pass{.headers = {{"X-Route", request.route}}};
  });
  const Server server = start_server(std::move(router));
  RawClient client(server.port());
  EXPECT_EQ(client.ask(get("/nowhere"))->status, 401U) << "it is asked before paths are told";
  const auto answer = client.ask(get("/a", "Authorization: x\r\n"));
  EXPECT_EQ(answer->status, 200U);
  EXPECT_EQ(answer->header("x-route"), "/a");
  EXPECT_EQ(client.ask(get("/b/", "Authorization: x\r\n"))->header("x-route"), "");
  throws = true;
  EXPECT_EQ(client.ask(get("/a", "Authorization: x\r\n"))->status, 500U);
  EXPECT_EQ(client.ask(post("/a", "body"))->header("connection"), "close") << "its body was not read";
}

class CountingTicket final : public Ticket {
 public:
  explicit CountingTicket(std::atomic<int>& answered) : answered_(answered) {}
  void on_answered() override { ++answered_; }

 private:
  std::atomic<int>& answered_;
};

TEST(ServerTest, TicketsAreToldBeforeTheClientHasItsAnswer) {
  std::atomic<int> answered = 0;
  Router router = echo_router();
  router.add("GET", "/stream",
             [](const std::shared_ptr<const ServerRequest>& request, const Responder& responder) {
               EXPECT_NE(request->ticket, nullptr);
               responder.start_stream(200, {});
               responder.write("a");
               responder.end();
             });
  router.set_guard([&](const ServerRequest&, const Route*) -> std::expected<Pass, Response> {
    return Pass{.ticket = std::make_shared<CountingTicket>(answered)};
  });
  const Server server = start_server(std::move(router));
  RawClient client(server.port());
  int asked = 0;
  for (const char* path : {"/a", "/stream", "/nowhere", "/a"}) {
    EXPECT_TRUE(client.ask(get(path))) << path;
    EXPECT_EQ(answered, ++asked) << path;
  }
}

TEST(ServerTest, TrustedProxiesSpeakForOthers) {
  Router router;
  router.add("GET", "/who",
             [](const std::shared_ptr<const ServerRequest>& request, const Responder& responder) {
               responder.send({.body = request->peer.address});
             });
  ServerOptions options;
  const std::vector<std::string> names = {"127.0.0.1"};
  options.trusted_proxies = TrustedProxies::parse(names).value();
  const Server server = start_server(std::move(router), std::move(options));
  RawClient client(server.port());
  EXPECT_EQ(client.ask(get("/who"))->body, "127.0.0.1");
  EXPECT_EQ(client.ask(get("/who", "X-Forwarded-For: 1.2.3.4\r\n"))->body, "1.2.3.4");
}

TEST(ServerTest, AHandlerThatFailsIsA500) {
  Router router;
  router.add("GET", "/silent", [](const std::shared_ptr<const ServerRequest>&, const Responder&) {});
  router.add("GET", "/throws", [](const std::shared_ptr<const ServerRequest>&, const Responder&) {
    throw std::runtime_error("x");
  });
  router.add("GET", "/half", [](const std::shared_ptr<const ServerRequest>&, const Responder& responder) {
    responder.start_stream(200, {});
    responder.write("half");
  });
  const Server server = start_server(std::move(router));
  RawClient client(server.port());
  EXPECT_EQ(client.ask(get("/silent"))->status, 500U);
  EXPECT_EQ(client.ask(get("/throws"))->status, 500U);
  EXPECT_FALSE(client.ask(get("/half"))) << "a stream without its end is seen to be incomplete";
}

TEST(ServerTest, StreamsEventsAndLines) {
  Router router;
  router.add("GET", "/events", [](const std::shared_ptr<const ServerRequest>&, const Responder& responder) {
    const EventStream stream(responder);
    EXPECT_TRUE(stream.start({{"X-One", "1"}}));
    EXPECT_TRUE(stream.data("one"));
    EXPECT_TRUE(stream.data("two\nlines\r\nor\rmore\n"));
    EXPECT_TRUE(stream.event("name", "{}"));
    EXPECT_TRUE(stream.comment("psst"));
    EXPECT_TRUE(stream.end());
  });
  router.add("GET", "/lines", [](const std::shared_ptr<const ServerRequest>&, const Responder& responder) {
    const JsonLines lines(responder);
    EXPECT_TRUE(lines.start());
    lines.line("{}");
    lines.line("[1]");
    lines.end();
  });
  const Server server = start_server(std::move(router));
  RawClient client(server.port());
  const auto events = client.ask(get("/events"));
  ASSERT_TRUE(events);
  EXPECT_EQ(events->body,
            "data: one\n\ndata: two\ndata: lines\ndata: or\ndata: more\ndata: \n\nevent: name\ndata: {}\n\n: "
            "psst\n\n");
  EXPECT_EQ(events->header("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_EQ(events->header("cache-control"), "no-store");
  EXPECT_EQ(events->header("x-accel-buffering"), "no");
  EXPECT_EQ(events->header("x-one"), "1");
  EXPECT_EQ(client.ask(get("/lines"))->body, "{}\n[1]\n");

  client.send("GET /lines HTTP/1.0\r\n\r\n");
  const auto old = client.read_answer();
  EXPECT_EQ(old->body, "{}\n[1]\n");
  EXPECT_EQ(old->header("transfer-encoding"), "");
  EXPECT_EQ(old->header("connection"), "close");
}

TEST(ServerTest, HeadOfAStreamEndsWithItsHeaders) {
  HeldRequests held;
  Router router;
  router.add("GET", "/s",
             held.handler([](const Responder& responder) { EXPECT_FALSE(responder.start_stream(200, {})); }));
  const Server server = start_server(std::move(router));
  RawClient client(server.port());
  EXPECT_EQ(client.ask("HEAD /s HTTP/1.1\r\nHost: h\r\n\r\n")->status, 200U);
  EXPECT_TRUE(held.stopped.wait_for(1)) << "nobody receives a body";
  EXPECT_EQ(client.ask("HEAD /s HTTP/1.1\r\nHost: h\r\n\r\n")->status, 200U);
  held.clear();
}

TEST(ServerTest, SilentStreamsAreKeptAlive) {
  HeldRequests held;
  Router router;
  router.add("GET", "/s", held.handler([](const Responder& responder) {
    responder.start_stream(200, {}, {.bytes = ": still here\n\n", .interval = std::chrono::milliseconds(1)});
  }));
  const Server server = start_server(std::move(router));
  RawClient client(server.port());
  client.send(get("/s"));
  std::string text;
  while (text.find("still here\n\n\r\ne\r\n: still here") == std::string::npos)
    ASSERT_TRUE(client.read_exactly(1, text));
  held.responder(0).end();
  while (!text.ends_with("\r\n0\r\n\r\n")) ASSERT_TRUE(client.read_exactly(1, text));
  held.clear();
}

TEST(ServerTest, TellsWhatItAnswered) {
  std::mutex mutex;
  std::vector<std::string> log;
  EventCount told;
  ServerOptions options = test_options();
  options.on_answer = [&](const AccessEntry& entry) {
    const std::lock_guard lock(mutex);
    log.push_back(entry.request.method + " " + entry.request.route + " " + std::to_string(entry.status) +
                  " " + std::to_string(entry.body_bytes) + (entry.complete ? "" : " cut"));
    told.add();
  };
  options.refusal_body = [](unsigned status, std::string_view text, std::string_view path) {
    return Response{.headers = {{"Content-Type", "text/plain"}},
                    .body = std::to_string(status) + std::string(path) + std::string(text).substr(0, 1)};
  };
  const Server server = start_server(echo_router(), options);
  RawClient client(server.port());
  client.ask(get("/a"));
  EXPECT_EQ(client.ask(get("/no"))->body, "404/not");
  client.ask("nonsense");
  ASSERT_TRUE(told.wait_for(3));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(log, (std::vector<std::string>{"GET /a 200 7", "GET  404 7", "  400 4"}));
}

TEST(ServerTest, ListensOnUnixSockets) {
  const std::string path = testing::TempDir() + "carat_server_" + std::to_string(::getpid()) + ".sock";
  ServerOptions options = test_options();
  options.address = "unix:" + path;
  {
    const Server server = start_server(echo_router(), options);
    EXPECT_EQ(server.port(), 0);
    EXPECT_TRUE(std::filesystem::is_socket(path));
    const auto second = Server::listen(options);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::kNetwork);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ServerTest, SaysWhyItCannotListen) {
  const Server server = start_server(echo_router());
  ServerOptions options = test_options();
  options.port = server.port();
  const auto taken = Server::listen(options);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().kind, ErrorKind::kNetwork);
  EXPECT_NE(taken.error().message.find("another program uses it"), std::string::npos);
  options.address = "256.0.0.1";
  EXPECT_EQ(Server::listen(options).error().kind, ErrorKind::kUsage);
  options.address = "unix:" + std::string(200, 'a');
  EXPECT_EQ(Server::listen(options).error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace carat::http
