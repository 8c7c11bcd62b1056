#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/test_fixture.h"
#include "base/text_file.h"
#include "server/openai/chat_request.h"
#include "server/openai/completion_request.h"
#include "server/openai/routes.h"
#include "server/operation_routes.h"

namespace carat::server::openai {
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
    for (const auto& [name, method] : {std::pair("    get:", "GET"), std::pair("    post:", "POST")}) {
      if (line == name) routes.insert(fmt::format("{} {}", method, path));
    }
  }
  return routes;
}

TEST(OpenApiTest, HasTheRoutesOfTheCode) {
  const SteadyClock clock;
  ServerContext context({}, {}, clock);
  http::Router router;
  add_operation_routes(router, context);
  add_routes(router, context);
  std::set<std::string> with_version;
  std::set<std::string> without;
  for (const auto& route : router.routes()) {
    std::string pattern = route->pattern;
    const std::size_t rest = pattern.find("...}");
    if (rest != std::string::npos) pattern.erase(rest, 3);
    const bool has_version = pattern.starts_with("/v1/");
    (has_version ? with_version : without)
        .insert(fmt::format("{} {}{}", route->method, has_version ? "" : "/v1", pattern));
  }
  EXPECT_EQ(documented_routes(), with_version);
  EXPECT_EQ(with_version, without);
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
  EXPECT_THAT(text, HasSubstr(fmt::format("maxItems: {}}}  # limit: kMostPrompts", kMostPrompts)));
}

}  // namespace
}  // namespace carat::server::openai
