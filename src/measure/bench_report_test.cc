#include "measure/bench_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>

namespace carat::measure {
namespace {

using testing::HasSubstr;

BenchReport example() {
  BenchReport report;
  report.model_name = "Gemma 3 270M";
  report.model_path = "/m/\"odd\" name.gguf";
  report.model_bytes = 246'587'904;
  report.model_parameters = 268'098'176;
  report.backend = "cpu avx512vnni, 2 threads";
  report.cpu_name = "Some CPU";
  report.threads = 2;
  report.limits = {"avx512vnni", 20e9, 40e9, 3000e9, std::size_t{1} << 30, std::size_t{236} << 20};
  BenchRow prefill;
  prefill.n_prompt = 512;
  prefill.samples_ns = {1e9, 2e9};
  prefill.avg_ts = 384;
  prefill.stddev_ts = 181.02;
  prefill.giga_ops_per_second = 150;
  prefill.share_of_dot_limit = 0.05;
  BenchRow decode;
  decode.n_gen = 128;
  decode.n_depth = 4096;
  decode.samples_ns = {1e9};
  decode.avg_ts = 128;
  decode.gigabytes_per_second = 30;
  decode.share_of_read_limit = 1.5;
  decode.share_of_model_read_limit = 0.75;
  report.rows = {prefill, decode};
  return report;
}

TEST(BenchTable, HasLlamaBenchsColumnsThenOurs) {
  EXPECT_THAT(
      bench_table(example()),
      HasSubstr(
          "| model                          |       size |     params | backend        | threads |      "
          "      test |                  t/s |    GB/s | of reads |    Gop/s | of dots |\n"));
  EXPECT_THAT(
      bench_table(example()),
      HasSubstr(
          "| Gemma 3 270M                   | 235.16 MiB |   268.10 M | cpu avx512vnni |       2 |      "
          "     pp512 |      384.00 ± 181.02 |       - |        - |    150.0 |      5% |\n"));
  EXPECT_THAT(bench_table(example()),
              HasSubstr("|   tg128 @ d4096 |        128.00 ± 0.00 |    30.0 |      75% |"));
}

TEST(BenchTable, LinesAlignAndTheLimitsFollow) {
  const std::string text = bench_table(example());
  const std::size_t header = text.find('\n');
  const std::size_t ruler = text.find('\n', header + 1);
  EXPECT_EQ(ruler - header - 1, header);
  EXPECT_THAT(text, HasSubstr("cpu: Some CPU; backend: cpu avx512vnni, 2 threads"));
  EXPECT_THAT(text, HasSubstr("40.0 GB/s over the model's size (236 MiB), 20.0 GB/s over 1024 MiB"));
  EXPECT_THAT(text, HasSubstr("int8 dots 3000.0 Gop/s"));
}

TEST(BenchTable, NamesFromFilesCannotBreakItOrTheTerminal) {
  BenchReport report = example();
  report.model_name = "a|b\n\x1b[2J\xff";
  const std::string text = bench_table(report);
  EXPECT_THAT(text, HasSubstr("| ab[2J\xEF\xBF\xBD "));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(BenchJson, IsAListUnderLlamaBenchsFieldNames) {
  const auto list = boost::json::parse(bench_json(example())).as_array();
  ASSERT_EQ(list.size(), 2U);
  const auto& prefill = list[0].as_object();
  EXPECT_EQ(prefill.at("n_prompt").to_number<int>(), 512);
  EXPECT_EQ(prefill.at("n_gen").to_number<int>(), 0);
  EXPECT_EQ(prefill.at("n_depth").to_number<int>(), 0);
  EXPECT_EQ(prefill.at("n_threads").to_number<int>(), 2);
  EXPECT_DOUBLE_EQ(prefill.at("avg_ts").to_number<double>(), 384);
  EXPECT_DOUBLE_EQ(prefill.at("stddev_ts").to_number<double>(), 181.02);
  EXPECT_EQ(prefill.at("model_filename").as_string(), "/m/\"odd\" name.gguf");
  EXPECT_DOUBLE_EQ(prefill.at("samples_ts").at(1).to_number<double>(), 256);
  EXPECT_DOUBLE_EQ(prefill.at("dot_limit_giga_ops_per_second").to_number<double>(), 3000);
  const auto& decode = list[1].as_object();
  EXPECT_EQ(decode.at("n_gen").to_number<int>(), 128);
  EXPECT_EQ(decode.at("n_depth").to_number<int>(), 4096);
  EXPECT_DOUBLE_EQ(decode.at("share_of_model_read_limit").to_number<double>(), 0.75);
}

TEST(BenchJson, StaysJsonWhateverThePathHolds) {
  BenchReport report = example();
  report.model_path = "/m/\xff\n.gguf";
  EXPECT_EQ(boost::json::parse(bench_json(report)).at(0).at("model_filename").as_string(),
            "/m/\xEF\xBF\xBD\n.gguf");
}

}  // namespace
}  // namespace carat::measure
