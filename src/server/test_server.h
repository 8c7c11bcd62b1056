#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/testing/scripted_engine.h"
#include "http/server.h"
#include "http/test_socket.h"
#include "server/api_error.h"
#include "server/operation_routes.h"
#include "server/server_context.h"

namespace carat::server {

// A server in this process whose engine follows a script. Its model is "scripted", also called "gpt-4o".
class ServerTest : public testing::Test {
 protected:
  // The routes of the API under test.
  virtual void add_api(http::Router& router, ServerContext& context) = 0;

  // `choose`: what happens with each request.
  void serve(engine::ScriptedEngine::Choose choose, AccessOptions access = {}, bool has_model = true) {
    engine_ = std::make_shared<engine::ScriptedEngine>(std::move(choose), engine::ScriptedEngine::Options());
    context_ = std::make_unique<ServerContext>(std::move(access), registry_, engine_->clock());
    context_->version = "1.2.3";
    context_->unix_time = [] { return std::int64_t{1'700'000'000}; };
    if (has_model) set_model(scripted_model());
    http::ServerOptions options;
    options.port = 0;
    options.refusal_body = [](unsigned status, std::string_view message, std::string_view path) {
      return error_response(from_transport(status, message, path), shape_of(path));
    };
    auto server = http::Server::listen(options);
    ASSERT_TRUE(server) << server.error().message;
    http::Router router;
    add_operation_routes(router, *context_);
    add_api(router, *context_);
    server_ = std::make_unique<http::Server>(std::move(*server));
    server_->start(std::move(router));
  }
  void serve(const engine::Script& script) {
    serve([script](const prompt::GenerationRequest&) { return script; });
  }
  // The same, for those who have one of these keys.
  void serve_with_keys(std::string_view keys) {
    auto parsed = parse_key_file("keys", keys);
    ASSERT_TRUE(parsed);
    serve([](const prompt::GenerationRequest&) { return engine::Script(); },
          {.rules = {.file_keys = std::move(*parsed)}});
  }

  std::shared_ptr<ServedModel> scripted_model() const {
    auto model = std::make_shared<ServedModel>();
    model->id = "scripted";
    model->engine = engine_;
    model->fingerprint = "fp_test";
    return model;
  }
  void set_model(std::shared_ptr<const ServedModel> model) { context_->models.set(std::move(model)); }

  static std::string request(std::string_view method, std::string_view path, std::string_view body = "",
                             std::string_view headers = "") {
    return fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: {}\r\n\r\n{}", method, path,
                       headers, body.size(), body);
  }
  http::RawAnswer ask(std::string_view method, std::string_view path, std::string_view body = "",
                      std::string_view headers = "") const {
    http::RawClient client(server_->port());
    auto answer = client.ask(request(method, path, body, headers));
    EXPECT_TRUE(answer) << method << " " << path;
    return answer.value_or(http::RawAnswer());
  }

  RegistryOptions registry_{.aliases = {"gpt-4o"}};  // of serve()
  // The server stops first, so that requests end; then the context waits for them; the engine has the clock.
  std::shared_ptr<engine::ScriptedEngine> engine_;
  std::unique_ptr<ServerContext> context_;
  std::unique_ptr<http::Server> server_;
};

// What follows each "PREFIX" at the beginning of a line, "data: " for the texts of an event stream.
inline std::vector<std::string> lines_with(std::string_view text, std::string_view prefix) {
  std::vector<std::string> found;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(prefix)) found.emplace_back(line.substr(prefix.size()));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return found;
}

// A body that must be JSON.
inline boost::json::value json_of(const http::RawAnswer& answer) {
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(answer.body, error);
  EXPECT_FALSE(error) << answer.body;
  return value;
}

}  // namespace carat::server
