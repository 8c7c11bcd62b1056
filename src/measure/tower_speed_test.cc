#include "measure/tower_speed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>

#include "backend/reference/reference_backend.h"
#include "formats/test_files.h"
#include "model/checkpoint.h"
#include "model/test_tiny_model.h"
#include "model/test_tiny_vision.h"

namespace carat::measure {
namespace {

using testing::HasSubstr;

TowerReport example() {
  TowerReport report;
  report.precision = "int8";
  report.backend = "cpu avx512vnni, 2 threads";
  report.cpu_name = "Some CPU";
  report.threads = 2;
  report.weight_bytes = std::uint64_t{448} << 20;
  report.samples_ns = {4e9, 8e9, 5e9};
  report.linear.arithmetic = "int8";
  report.attention.arithmetic = "bf16";
  report.limits.loops = "avx512bf16";
  report.limits.dot_ops_per_second = 2000e9;
  report.limits.bf16_ops_per_second = 1000e9;
  report.limits.f32_ops_per_second = 500e9;
  return report;
}

// The published tower, multiplied out by hand: 4096 patches of 588 values, width 1152, MLP 4304, 27 layers,
// 256 soft tokens of 2560.
TEST(TowerSpeed, CountsTheWorkOfThePublishedTower) {
  model::VisionConfig config;
  config.image_size = 896;
  config.patch_size = 14;
  config.width = 1152;
  config.layers = 27;
  config.heads = 16;
  config.ffn = 4304;
  config.tokens_per_side = 16;
  config.d_model = 2560;
  const TowerWork work = tower_work(config);
  EXPECT_EQ(work.linear_ops, 3'374'548'254'720U);
  EXPECT_EQ(work.attention_ops, 2'087'354'105'856U);
}

TEST(TowerSpeed, SharesAreOfTheArithmeticUsed) {
  TowerReport report = example();
  derive_tower_rates({.linear_ops = 3'000'000'000'000, .attention_ops = 1'000'000'000'000}, {2e9, 3e9, 9e9},
                     {1.5e9, 1e9, 2e9}, report);
  EXPECT_DOUBLE_EQ(report.seconds, 5.0);
  EXPECT_DOUBLE_EQ(report.linear.seconds, 3.0);
  EXPECT_DOUBLE_EQ(report.linear.giga_ops_per_second, 1000.0);
  EXPECT_DOUBLE_EQ(report.linear.share_of_limit, 0.5);
  EXPECT_DOUBLE_EQ(report.attention.seconds, 1.5);
  EXPECT_NEAR(report.attention.share_of_limit, 2.0 / 3.0, 1e-12);
  EXPECT_DOUBLE_EQ(report.other_seconds, 0.5);
  EXPECT_DOUBLE_EQ(report.share_of_limit, (1.5 + 1.0) / 5.0);
}

TEST(TowerSpeed, TimesATowerAndItsParts) {
  const model::TinyVision tower;
  model::TinyModel text;
  text.config.d_model = tower.config.d_model;
  formats::TestFolder folder;
  folder.write("mmproj.gguf", tower.mmproj());
  const auto checkpoint = model::Checkpoint::open(folder.write("text.gguf", text.gguf()));
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  const auto backend = backend::make_reference_backend();
  std::size_t runs_seen = 0;
  const auto count = [&](std::size_t run, std::size_t runs) {
    EXPECT_EQ(run, runs_seen++);
    EXPECT_EQ(runs, 2U);
  };
  const TowerBenchOptions options = {.precision = model::VisionPrecision::kBf16, .repetitions = 2};
  const auto report = run_tower_bench(*checkpoint->vision(), *backend, options, count, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->precision, "bf16");
  EXPECT_EQ(report->linear.arithmetic, "f32");  // the reference's
  EXPECT_EQ(report->samples_ns.size(), 2U);
  EXPECT_GT(report->linear.seconds, 0.0);
  EXPECT_GT(report->attention.seconds, 0.0);
  EXPECT_GT(report->seconds, report->linear.seconds);
  EXPECT_TRUE(formats::is_error(run_tower_bench(*checkpoint->vision(), *backend, {.repetitions = 0}, {}, {}),
                                ErrorKind::kUsage, {}));
}

TEST(TowerSpeed, ReportsAreReadable) {
  TowerReport report = example();
  derive_tower_rates({.linear_ops = 3'000'000'000'000, .attention_ops = 1'000'000'000'000}, {3e9}, {1.5e9},
                     report);
  const std::string table = tower_table(report);
  EXPECT_THAT(table, HasSubstr("one picture, tower in int8, medians of 3 runs"));
  EXPECT_THAT(table, HasSubstr("| linear    |       int8 |    3.00 |   1000.0 |       50% |\n"));
  EXPECT_THAT(table, HasSubstr("| all       |            |    5.00 |        - |       50% |\n"));
  EXPECT_THAT(table, HasSubstr("bf16 dots 1000.0 Gop/s"));
  report.limits.bf16_ops_per_second = 0;
  EXPECT_THAT(tower_table(report), testing::Not(HasSubstr("bf16 dots")));
  const boost::json::value json = boost::json::parse(tower_json(report));
  EXPECT_EQ(json.at("precision").as_string(), "int8");
  EXPECT_EQ(json.at("samples_ns").as_array().size(), 3U);
  EXPECT_EQ(json.at("attention").at("arithmetic").as_string(), "bf16");
  EXPECT_DOUBLE_EQ(json.at("seconds").as_double(), 5.0);
}

}  // namespace
}  // namespace carat::measure
