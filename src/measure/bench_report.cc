#include "measure/bench_report.h"

#include <fmt/format.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <iterator>

#include "base/utf8.h"
#include "measure/machine_files.h"

namespace carat::measure {
namespace {

std::string share(double part) { return fmt::format("{:.0f}%", 100 * part); }

std::string backend_word(const std::string& description) {
  return description.substr(0, description.find(','));
}

struct Column {
  const char* name;
  int width;
};
// The first seven are llama-bench's.
constexpr Column kColumns[] = {{"model", -30},  {"size", 10}, {"params", 10}, {"backend", -14},
                               {"threads", 7},  {"test", 15}, {"t/s", 20},    {"GB/s", 7},
                               {"of reads", 8}, {"Gop/s", 8}, {"of dots", 7}};
constexpr std::size_t kColumnCount = std::size(kColumns);

// One cell a column, padded to its width: a negative one aligns to the left.
std::string table_line(const std::array<std::string, kColumnCount>& cells) {
  std::string line = "|";
  for (std::size_t i = 0; i < kColumnCount; ++i) {
    const int width = kColumns[i].width;
    line +=
        width < 0 ? fmt::format(" {:<{}} |", cells[i], -width) : fmt::format(" {:>{}} |", cells[i], width);
  }
  return line + "\n";
}

std::string table_head() {
  std::array<std::string, kColumnCount> names;
  std::array<std::string, kColumnCount> rulers;
  for (std::size_t i = 0; i < kColumnCount; ++i) {
    const int width = kColumns[i].width;
    names[i] = kColumns[i].name;
    rulers[i] = std::string(static_cast<std::size_t>(std::abs(width)), '-');
    if (width > 0) rulers[i].back() = ':';
  }
  return table_line(names) + table_line(rulers);
}

}  // namespace

std::string bench_table(const BenchReport& report) {
  std::string text = table_head();
  for (const BenchRow& row : report.rows) {
    const bool reads = row.gigabytes_per_second > 0;
    text += table_line({printable(report.model_name),
                        fmt::format("{:.2f} MiB", static_cast<double>(report.model_bytes) / (1 << 20)),
                        fmt::format("{:.2f} M", static_cast<double>(report.model_parameters) / 1e6),
                        backend_word(report.backend), std::to_string(report.threads), row.test(),
                        fmt::format("{:.2f} ± {:.2f}", row.avg_ts, row.stddev_ts),
                        reads ? fmt::format("{:.1f}", row.gigabytes_per_second) : "-",
                        reads ? share(row.share_of_model_read_limit) : "-",
                        fmt::format("{:.1f}", row.giga_ops_per_second), share(row.share_of_dot_limit)});
  }
  const MachineLimits& limits = report.limits;
  text += fmt::format(
      "\ncpu: {}; backend: {}\n"
      "limits, medians of samples between the runs, {} loops:\n"
      "  reads     {:.1f} GB/s over the model's size ({} MiB), {:.1f} GB/s over {} MiB\n"
      "  int8 dots {:.1f} Gop/s\n",
      report.cpu_name, report.backend, limits.loops, limits.model_bytes_per_second / 1e9,
      limits.model_working_set >> 20, limits.memory_bytes_per_second / 1e9, limits.memory_working_set >> 20,
      limits.dot_ops_per_second / 1e9);
  return text;
}

std::string bench_json(const BenchReport& report) {
  boost::json::array list;
  for (const BenchRow& row : report.rows) {
    const double tokens = static_cast<double>(row.n_prompt + row.n_gen);
    boost::json::array samples_ns;
    boost::json::array samples_ts;
    for (const double time : row.samples_ns) {
      samples_ns.push_back(time);
      samples_ts.push_back(tokens * 1e9 / time);
    }
    list.push_back(boost::json::object{
        {"cpu_info", report.cpu_name},
        {"backends", report.backend},
        {"model_filename", replace_invalid_utf8(report.model_path)},
        {"model_type", replace_invalid_utf8(report.model_name)},
        {"model_size", report.model_bytes},
        {"model_n_params", report.model_parameters},
        {"n_batch", kPrefillTokens},
        {"n_ubatch", kPrefillTokens},
        {"n_threads", report.threads},
        {"type_k", "f16"},
        {"type_v", "f16"},
        {"n_prompt", row.n_prompt},
        {"n_gen", row.n_gen},
        {"n_depth", row.n_depth},
        {"test", row.test()},
        {"avg_ts", row.avg_ts},
        {"stddev_ts", row.stddev_ts},
        {"samples_ns", samples_ns},
        {"samples_ts", samples_ts},
        {"gigabytes_per_second", row.gigabytes_per_second},
        {"giga_ops_per_second", row.giga_ops_per_second},
        {"share_of_read_limit", row.share_of_read_limit},
        {"share_of_model_read_limit", row.share_of_model_read_limit},
        {"share_of_dot_limit", row.share_of_dot_limit},
        {"read_limit_gigabytes_per_second", report.limits.memory_bytes_per_second / 1e9},
        {"read_limit_working_set", report.limits.memory_working_set},
        {"model_read_limit_gigabytes_per_second", report.limits.model_bytes_per_second / 1e9},
        {"dot_limit_giga_ops_per_second", report.limits.dot_ops_per_second / 1e9},
        {"limit_loops", report.limits.loops},
    });
  }
  return boost::json::serialize(list) + "\n";
}

}  // namespace carat::measure
