#include "measure/bench.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <string>
#include <vector>

namespace carat::measure {
namespace {

class FakeClock final : public Clock {
 public:
  std::chrono::nanoseconds now() const override { return time; }
  std::chrono::nanoseconds time{0};
};

// Takes 10 ns a call, 1 ns a token and 100 ns a row of logits, and writes down what it was asked.
class TimedModel final : public SequenceModel {
 public:
  explicit TimedModel(FakeClock& clock) : clock_(clock) {}

  void reset() override { log += "reset "; }

  Result<std::span<const std::vector<float>>> append(std::span<const TokenId> tokens, std::size_t logit_rows,
                                                     const std::stop_token&) override {
    clock_.time += std::chrono::nanoseconds(10 + tokens.size() + 100 * logit_rows);
    log +=
        logit_rows > 0 ? fmt::format("{}+{} ", tokens.size(), logit_rows) : fmt::format("{} ", tokens.size());
    for (const TokenId token : tokens) {
      EXPECT_GE(token, 0);
      EXPECT_LT(token, 50);
    }
    if (fail_after > 0 && --fail_after == 0) return fail(ErrorKind::kDoesNotFit, "no room");
    return std::span<const std::vector<float>>();
  }

  std::string log;
  std::size_t fail_after = 0;

 private:
  FakeClock& clock_;
};

struct Bench {
  FakeClock clock;
  TimedModel model{clock};
  std::size_t limit_samples = 0;
  // Sampling the limits takes long; that time must not show.
  BenchHarness harness{model, clock,
                       [this] {
                         ++limit_samples;
                         clock.time += std::chrono::hours(1);
                       },
                       50};
};

TEST(Bench, PrefillGoesInBatchesAndOnlyItsLastTokenPaysForTheHead) {
  Bench bench;
  const auto rows = time_rows(
      bench.harness, {.prompt_lengths = {1300}, .generation_lengths = {0}, .repetitions = 1}, {}, {});
  ASSERT_EQ(rows.value().size(), 1U);
  const std::string once = "reset 1+1 reset 512 512 276+1 ";
  EXPECT_EQ(bench.model.log, once + once);  // a warm-up and the timed run
  EXPECT_EQ(rows.value()[0].samples_ns, (std::vector<double>{3 * 10 + 1300 + 100}));
}

TEST(Bench, DecodeFeedsOneTokenAStepAfterAnUntimedDepth) {
  Bench bench;
  const auto rows =
      time_rows(bench.harness,
                {.prompt_lengths = {}, .generation_lengths = {3}, .depths = {600}, .repetitions = 1}, {}, {});
  const std::string once = "reset 1+1 reset 512 88 1+1 1+1 1+1 ";
  EXPECT_EQ(bench.model.log, once + once);
  EXPECT_EQ(rows.value()[0].samples_ns, (std::vector<double>{3 * 111}));
  EXPECT_EQ(rows.value()[0].test(), "tg3 @ d600");
}

TEST(Bench, RepetitionsGoRoundTheTestsAndTheLimitsAreSampledBetween) {
  Bench bench;
  std::vector<std::string> order;
  const auto progress = [&order](const std::string& test, std::size_t run, std::size_t runs) {
    EXPECT_EQ(run, order.size());
    EXPECT_EQ(runs, 6U);
    order.push_back(test);
  };
  const auto rows = time_rows(
      bench.harness, {.prompt_lengths = {5, 7}, .generation_lengths = {2}, .repetitions = 2}, progress, {});
  EXPECT_EQ(order, (std::vector<std::string>{"pp5", "pp7", "tg2", "pp5", "pp7", "tg2"}));
  EXPECT_EQ(bench.limit_samples, 9U);  // before the warm-ups too
  for (const BenchRow& row : rows.value()) EXPECT_EQ(row.samples_ns.size(), 2U);
}

TEST(Bench, SaysWhatIsWrongWithTheOptionsAndPassesErrorsOn) {
  Bench bench;
  EXPECT_EQ(time_rows(bench.harness, {.prompt_lengths = {0}, .generation_lengths = {}}, {}, {}).error().kind,
            ErrorKind::kUsage);
  EXPECT_EQ(time_rows(bench.harness, {.repetitions = 0}, {}, {}).error().kind, ErrorKind::kUsage);
  bench.model.fail_after = 3;
  EXPECT_EQ(time_rows(bench.harness, {}, {}, {}).error().kind, ErrorKind::kDoesNotFit);
}

TEST(Bench, StopsBetweenSteps) {
  Bench bench;
  std::stop_source stop;
  std::size_t runs = 0;
  const auto progress = [&](const std::string&, std::size_t, std::size_t) {
    if (++runs == 2) stop.request_stop();
  };
  EXPECT_EQ(time_rows(bench.harness, {}, progress, stop.get_token()).error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(runs, 2U);
}

ModelWork tiny_work() {
  ModelWork work;
  work.config.layers = 1;
  work.config.d_model = 10;
  work.config.heads = 1;
  work.config.kv_heads = 1;
  work.config.head_dim = 4;
  work.config.ffn = 20;
  work.config.vocab = 100;
  work.config.sliding_window = 4;
  work.config.layer_kinds = model::periodic_layer_kinds(1, 6);
  work.weight_bytes = 5000;
  return work;
}

MachineLimits round_limits() {
  MachineLimits limits;
  limits.memory_bytes_per_second = 10e9;
  limits.model_bytes_per_second = 20e9;
  limits.dot_ops_per_second = 100e9;
  return limits;
}

TEST(DeriveRates, DecodeFiguresFollowTheirFormulas) {
  BenchRow row;
  row.n_gen = 2;
  row.n_depth = 1;
  row.samples_ns = {1000, 2000, 500};
  derive_rates(tiny_work(), round_limits(), row);
  // Tokens per second of the runs: 2e6, 1e6, 4e6.
  EXPECT_NEAR(row.avg_ts, 7e6 / 3, 1e-3);
  EXPECT_NEAR(row.stddev_ts,
              1e6 * std::sqrt(((2 - 7.0 / 3) * (2 - 7.0 / 3) + (1 - 7.0 / 3) * (1 - 7.0 / 3) +
                               (4 - 7.0 / 3) * (4 - 7.0 / 3)) /
                              2),
              1e-3);
  // Two steps at positions 1 and 2 see 2 and 3 positions of 2 * 4 f16 numbers each.
  const double bytes = 2 * 5000 + (2 + 3) * 2 * 4 * 2;
  EXPECT_DOUBLE_EQ(row.gigabytes_per_second, bytes / 1000);
  EXPECT_DOUBLE_EQ(row.share_of_read_limit, bytes / 1000 / 10);
  EXPECT_DOUBLE_EQ(row.share_of_model_read_limit, bytes / 1000 / 20);
  // q and o: 2 * 10 * 4, k and v: 2 * 10 * 4, mlp: 3 * 10 * 20, norms: 4 * 10 + 2 * 4 + 10.
  const double ops = 2 * 2 * (80 + 80 + 600 + 58) + 2 * 2 * 1000;
  EXPECT_DOUBLE_EQ(row.giga_ops_per_second, ops / 1000);
  EXPECT_DOUBLE_EQ(row.share_of_dot_limit, ops / 1000 / 100);
}

TEST(DeriveRates, PrefillClaimsNoBytes) {
  BenchRow row;
  row.n_prompt = 8;
  row.samples_ns = {100};
  derive_rates(tiny_work(), round_limits(), row);
  EXPECT_EQ(row.gigabytes_per_second, 0);
  EXPECT_EQ(row.share_of_model_read_limit, 0);
  EXPECT_EQ(row.stddev_ts, 0);
  EXPECT_DOUBLE_EQ(row.giga_ops_per_second, (2.0 * 8 * 818 + 2 * 1000) / 100);
}

}  // namespace
}  // namespace carat::measure
