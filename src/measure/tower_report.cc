#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "measure/tower_speed.h"

namespace carat::measure {
namespace {

std::string part_line(std::string_view name, const TowerPart& part) {
  return fmt::format("| {:<9} | {:>10} | {:>7.2f} | {:>8.1f} | {:>8.0f}% |\n", name, part.arithmetic,
                     part.seconds, part.giga_ops_per_second, 100 * part.share_of_limit);
}

boost::json::object part_json(const TowerPart& part) {
  return {{"seconds", part.seconds},
          {"arithmetic", part.arithmetic},
          {"giga_ops_per_second", part.giga_ops_per_second},
          {"share_of_limit", part.share_of_limit}};
}

}  // namespace

std::string tower_table(const TowerReport& report) {
  std::string text = fmt::format("one picture, tower in {}, medians of {} runs:\n\n", report.precision,
                                 report.samples_ns.size());
  text += "| part      | arithmetic |       s |    Gop/s | of limit |\n";
  text += "| :-------- | ---------: | ------: | -------: | -------: |\n";
  text += part_line("linear", report.linear);
  text += part_line("attention", report.attention);
  text += fmt::format("| {:<9} | {:>10} | {:>7.2f} | {:>8} | {:>9} |\n", "other", "f32", report.other_seconds,
                      "-", "-");
  text += fmt::format("| {:<9} | {:>10} | {:>7.2f} | {:>8} | {:>8.0f}% |\n", "all", "", report.seconds, "-",
                      100 * report.share_of_limit);
  const MachineLimits& limits = report.limits;
  text += fmt::format("\ncpu: {}; backend: {}; {:.0f} MiB of packed weights\n", report.cpu_name,
                      report.backend, static_cast<double>(report.weight_bytes) / (1 << 20));
  text += fmt::format("limits, medians of samples between the runs, {} loops: int8 dots {:.1f} Gop/s, ",
                      limits.loops, limits.dot_ops_per_second / 1e9);
  if (limits.bf16_ops_per_second > 0)
    text += fmt::format("bf16 dots {:.1f} Gop/s, ", limits.bf16_ops_per_second / 1e9);
  return text + fmt::format("f32 {:.1f} Gop/s\n", limits.f32_ops_per_second / 1e9);
}

std::string tower_json(const TowerReport& report) {
  const boost::json::object object = {
      {"cpu_info", report.cpu_name},
      {"backends", report.backend},
      {"n_threads", report.threads},
      {"precision", report.precision},
      {"tower_size", report.weight_bytes},
      {"seconds", report.seconds},
      {"samples_ns", boost::json::array(report.samples_ns.begin(), report.samples_ns.end())},
      {"linear", part_json(report.linear)},
      {"attention", part_json(report.attention)},
      {"other_seconds", report.other_seconds},
      {"share_of_limit", report.share_of_limit},
      {"dot_limit_giga_ops_per_second", report.limits.dot_ops_per_second / 1e9},
      {"bf16_limit_giga_ops_per_second", report.limits.bf16_ops_per_second / 1e9},
      {"f32_limit_giga_ops_per_second", report.limits.f32_ops_per_second / 1e9},
      {"limit_loops", report.limits.loops},
  };
  return boost::json::serialize(object) + "\n";
}

}  // namespace carat::measure
