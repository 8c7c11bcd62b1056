#include "server/metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "http/server_request.h"

namespace carat::server {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

engine::GenerationResult answer(std::size_t generated, double queue, double prefill, double decode) {
  engine::GenerationResult result;
  result.usage.prompt_tokens = 20;
  result.usage.generated_tokens = generated;
  result.usage.queue_seconds = queue;
  result.usage.prefill_seconds = prefill;
  result.usage.decode_seconds = decode;
  return result;
}

TEST(MetricsTest, FirstTokenIsQueueAndPrefill) {
  Metrics metrics;
  metrics.record("m", answer(11, 0.25, 0.5, 2.0));
  const std::string text = metrics.text({});
  EXPECT_THAT(text, HasSubstr("# TYPE carat_time_to_first_token_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("carat_time_to_first_token_seconds_sum{model_name=\"m\"} 0.75\n"));
  EXPECT_THAT(text, HasSubstr("carat_e2e_request_latency_seconds_sum{model_name=\"m\"} 2.75\n"));
  // Ten times from one token to the next in two seconds.
  EXPECT_THAT(text, HasSubstr("carat_time_per_output_token_seconds_bucket{model_name=\"m\",le=\"0.2\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("carat_time_per_output_token_seconds_bucket{model_name=\"m\",le=\"0.15\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("carat_request_generation_tokens_sum{model_name=\"m\"} 11\n"));
}

TEST(MetricsTest, AnAnswerOfOneTokenHasNoTimePerToken) {
  Metrics metrics;
  metrics.record("m", answer(1, 0, 0.5, 0));
  EXPECT_THAT(metrics.text({}), Not(HasSubstr("carat_time_per_output_token_seconds_count")));
}

TEST(MetricsTest, FinishedRequestsAreCountedByReason) {
  Metrics metrics;
  engine::GenerationResult cut = answer(3, 0, 0, 0);
  cut.finish = engine::FinishReason::kLength;
  metrics.record("m", cut);
  metrics.record("m", cut);
  metrics.record("m", answer(3, 0, 0, 0));
  const std::string text = metrics.text({});
  EXPECT_THAT(text, HasSubstr("finished_reason=\"length\",model_name=\"m\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("finished_reason=\"stop\",model_name=\"m\"} 1\n"));
}

TEST(MetricsTest, ModelsBeyondTheMostShareALabel) {
  Metrics metrics;
  for (std::size_t i = 0; i < Metrics::kMostModels + 5; ++i)
    metrics.record(fmt::format("model-{}", i), answer(2, 0, 0, 1));
  const std::string text = metrics.text({});
  EXPECT_THAT(text, HasSubstr("carat_request_queue_time_seconds_count{model_name=\"other\"} 5\n"));
  EXPECT_THAT(text, Not(HasSubstr(fmt::format("\"model-{}\"", Metrics::kMostModels))));
}

TEST(MetricsTest, EngineStatusIsOfNow) {
  const Metrics metrics;
  engine::EngineStatus busy;
  busy.running = 3;
  busy.kv_bytes_used = 1;
  busy.kv_bytes_total = 4;
  busy.cached_tokens = 77;
  const std::vector<ModelStatus> models = {{.name = "a", .engine = busy}, {.name = "b\"\n", .engine = {}}};
  const std::string text = metrics.text(models);
  EXPECT_THAT(text, HasSubstr("# TYPE carat_num_requests_running gauge\n"));
  EXPECT_THAT(text, HasSubstr("carat_num_requests_running{model_name=\"a\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("carat_kv_cache_usage_perc{model_name=\"a\"} 0.25\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE carat_prefix_cache_hits_total counter\n"));
  EXPECT_THAT(text, HasSubstr("carat_prefix_cache_hits_total{model_name=\"a\"} 77\n"));
  EXPECT_THAT(text, HasSubstr("carat_kv_cache_usage_perc{model_name=\"b\\\"\\n\"} 0\n"));
}

TEST(MetricsTest, RequestsAreCountedByRoute) {
  Metrics metrics;
  http::ServerRequest request;
  request.route = "/v1/models/{id}";
  request.path = "/v1/models/secret";
  metrics.record({.request = request, .status = 404, .time = 20ms});
  request.route = "";
  metrics.record({.request = request, .status = 404, .time = 1ms});
  const std::string text = metrics.text({});
  EXPECT_THAT(text, HasSubstr("carat_http_requests_total{route=\"/v1/models/{id}\",status=\"404\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("carat_http_requests_total{route=\"-\",status=\"404\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace carat::server
