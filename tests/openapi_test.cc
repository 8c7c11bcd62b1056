#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/test_fixture.h"
#include "base/text_file.h"
#include "prompt/sampling_params.h"
#include "server/anthropic/routes.h"
#include "server/api_error.h"
#include "server/chat_messages.h"
#include "server/generation_options.h"
#include "server/ollama/routes.h"
#include "server/openai/completion_request.h"
#include "server/openai/response_input.h"
#include "server/openai/routes.h"
#include "server/operation_routes.h"
#include "server/route_access.h"

namespace carat::server {
namespace {

using testing::HasSubstr;

std::string document() {
  const auto text = read_text_file(test_fixture("../../api/openapi.yaml"), std::size_t{1} << 20);
  EXPECT_TRUE(text) << text.error().message;
  return text.value_or("");
}

// "POST /v1/completions" for each operation of the document: paths are indented by two, methods by four.
std::set<std::string> documented_routes() {
  std::set<std::string> routes;
  std::istringstream lines(document());
  std::string path;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  /")) path = line.substr(2, line.size() - 3);
    for (const auto& [name, method] :
         {std::pair("    get:", "GET"), std::pair("    post:", "POST"), std::pair("    delete:", "DELETE")}) {
      if (line == name) routes.insert(fmt::format("{} {}", method, path));
    }
  }
  return routes;
}

// "POST /v1/completions" for each route that `add` adds.
std::set<std::string> routes_of(void (*add)(http::Router&, ServerContext&)) {
  const SteadyClock clock;
  ServerContext context({}, {}, clock);
  http::Router router;
  add(router, context);
  std::set<std::string> routes;
  for (const auto& route : router.routes()) {
    std::string pattern = route->pattern;
    const std::size_t rest = pattern.find("...}");
    if (rest != std::string::npos) pattern.erase(rest, 3);
    routes.insert(fmt::format("{} {}", route->method, pattern));
  }
  return routes;
}

TEST(OpenApiTest, HasTheRoutesOfTheCode) {
  std::set<std::string> routes = routes_of(ollama::add_routes);
  routes.merge(routes_of(anthropic::add_routes));
  for (const auto add : {add_operation_routes, openai::add_routes}) {
    std::set<std::string> shortened;
    std::set<std::string> without_version;
    for (const std::string& route : routes_of(add)) {
      const std::size_t at = route.find("/v1/");
      if (at == std::string::npos) {
        without_version.insert(route);
      } else {
        routes.insert(route);
        shortened.insert(route.substr(0, at) + route.substr(at + 3));
      }
    }
    EXPECT_TRUE(std::ranges::includes(without_version, shortened)) << "a route of /v1 is missing without it";
    std::ranges::set_difference(without_version, shortened, std::inserter(routes, routes.end()));
  }
  EXPECT_EQ(documented_routes(), routes);
}

// A route is denied that says nothing, so one that is meant to be used and says nothing is a mistake. What is
// open without a key is said here once more.
TEST(OpenApiTest, EveryRouteSaysWhoMayUseIt) {
  const std::set<std::string> open = {"/health", "/ready", "/v1/health", "/v1/ready"};
  const SteadyClock clock;
  ServerContext context({}, {}, clock);
  http::Router router;
  for (const auto add : {add_operation_routes, openai::add_routes, anthropic::add_routes, ollama::add_routes})
    add(router, context);
  for (const auto& route : router.routes()) {
    const auto access = static_cast<RouteAccess>(route->options.access);
    EXPECT_NE(access, RouteAccess::kDenied) << route->method << " " << route->pattern;
    EXPECT_EQ(access == RouteAccess::kOpen, open.contains(route->pattern))
        << route->method << " " << route->pattern;
  }
}

TEST(OpenApiTest, HasTheErrorCodesOfTheCatalogue) {
  std::set<std::string> documented;
  std::istringstream lines(document());
  constexpr std::string_view kEntry = "                - ";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kEntry)) documented.insert(line.substr(kEntry.size()));
  }
  std::set<std::string> known;
  for (int i = 0; i <= static_cast<int>(ApiErrorCode::kShuttingDown); ++i)
    known.emplace(info(static_cast<ApiErrorCode>(i)).code);
  EXPECT_EQ(documented, known);
}

TEST(OpenApiTest, HasTheLimitsOfTheCode) {
  const std::string text = document();
  EXPECT_THAT(text, HasSubstr(fmt::format("maximum: {}}}  # limit: kMostChoices", kMostChoices)));
  EXPECT_THAT(text, HasSubstr(fmt::format("maximum: {}}}  # limit: kMaxLogprobs",
                                          prompt::SamplingParams::kMaxLogprobs)));
  EXPECT_THAT(text,
              HasSubstr(fmt::format("At most {} images in a request.  # limit: kMostImages", kMostImages)));
  EXPECT_THAT(text, HasSubstr(fmt::format("maxItems: {}, items: {{type: object}}}}  # limit: kMostItems",
                                          openai::kMostItems)));
  EXPECT_THAT(text, HasSubstr(fmt::format("maxItems: {}}}  # limit: kMostPrompts", openai::kMostPrompts)));
}

}  // namespace
}  // namespace carat::server
