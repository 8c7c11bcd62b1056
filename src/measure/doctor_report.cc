#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/utf8.h"
#include "measure/doctor.h"
#include "measure/machine_files.h"

namespace carat::measure {
namespace {

std::string size_text(std::optional<std::uint64_t> bytes, const char* otherwise) {
  if (!bytes) return otherwise;
  return fmt::format("{:.1f} GiB", static_cast<double>(*bytes) / (std::uint64_t{1} << 30));
}

std::string level_words(const DoctorReport& report) {
  std::string words;
  for (const LevelStatus& level : report.levels) {
    if (!words.empty()) words += ", ";
    words += level.name + (level.used ? " (used)" : level.present ? "" : " (not on this machine)");
  }
  return words;
}

std::string model_words(const ModelFinding& model) {
  if (!model.found) return "not found";
  const std::string path = printable(model.path);
  return model.message.empty() ? path : fmt::format("{}: {}", path, printable(model.message));
}

boost::json::value number_or_null(const auto& number) {
  return number ? boost::json::value(*number) : boost::json::value(nullptr);
}

}  // namespace

std::string doctor_text(const DoctorReport& report) {
  std::string text;
  const auto line = [&text](const char* name, const std::string& value) {
    text += fmt::format("{:<12} {}\n", name, value);
  };
  line("carat", fmt::format("{}, built with {}", report.version, report.compiler));
  line("system", report.system);
  line("processor", report.cpu_name);
  line("levels", level_words(report));
  line("threads", fmt::format("{} of {} CPUs; affinity {}, control group {}", report.usable_threads,
                              report.online_cpus, report.affinity_cpus,
                              report.quota_cpus ? fmt::format("{:.2f}", *report.quota_cpus) : "unlimited"));
  line("memory", fmt::format("{}, {} available; control group {}", size_text(report.memory_total, "unknown"),
                             size_text(report.memory_available, "unknown"),
                             size_text(report.memory_limit, "unlimited")));
  line("huge pages", report.huge_pages);
  line("sandbox", report.sandbox.holds ? report.sandbox.message : "none");
  line("model", model_words(report.model));
  for (const std::string& advice : report.advice) text += "\n" + advice + "\n";
  return text;
}

std::string doctor_json(const DoctorReport& report) {
  boost::json::array levels;
  for (const LevelStatus& level : report.levels) {
    levels.push_back(
        boost::json::object{{"name", level.name}, {"present", level.present}, {"used", level.used}});
  }
  boost::json::array advice;
  for (const std::string& sentence : report.advice) advice.push_back(boost::json::string(sentence));
  const boost::json::object object = {
      {"version", report.version},
      {"compiler", report.compiler},
      {"system", report.system},
      {"cpu", report.cpu_name},
      {"levels", levels},
      {"online_cpus", report.online_cpus},
      {"affinity_cpus", report.affinity_cpus},
      {"quota_cpus", number_or_null(report.quota_cpus)},
      {"usable_threads", report.usable_threads},
      {"memory_total", number_or_null(report.memory_total)},
      {"memory_available", number_or_null(report.memory_available)},
      {"memory_limit", number_or_null(report.memory_limit)},
      {"huge_pages", report.huge_pages},
      {"sandbox", boost::json::object{{"holds", report.sandbox.holds}, {"message", report.sandbox.message}}},
      {"model", boost::json::object{{"found", report.model.found},
                                    {"path", replace_invalid_utf8(report.model.path)},
                                    {"message", replace_invalid_utf8(report.model.message)}}},
      {"advice", advice},
  };
  return boost::json::serialize(object) + "\n";
}

}  // namespace carat::measure
