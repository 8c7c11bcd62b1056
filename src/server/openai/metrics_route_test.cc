#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/router.h"
#include "server/openai/routes.h"
#include "server/test_server.h"

namespace carat::server::openai {
namespace {

using testing::HasSubstr;

class MetricsRouteTest : public ServerTest {
  void add_api(http::Router& router, ServerContext& context) override { add_routes(router, context); }
};

TEST_F(MetricsRouteTest, TellsOfAnsweredRequests) {
  serve(engine::Script());
  ask("POST", "/v1/chat/completions", R"({"messages":[{"role":"user","content":"hi"}]})",
      "Content-Type: application/json\r\n");
  const http::RawAnswer answer = ask("GET", "/metrics");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_THAT(answer.body,
              HasSubstr("carat_request_success_total{finished_reason=\"stop\",model_name=\"scripted\"} 1\n"));
  EXPECT_THAT(answer.body, HasSubstr("carat_num_requests_running{model_name=\"scripted\"} 0\n"));
}

TEST_F(MetricsRouteTest, AnswersWithoutAModel) {
  serve([](const prompt::GenerationRequest&) { return engine::Script(); }, {}, false);
  EXPECT_EQ(ask("GET", "/metrics").status, 200U);
}

}  // namespace
}  // namespace carat::server::openai
