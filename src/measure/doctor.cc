#include "measure/doctor.h"

#include <sys/utsname.h>

#include <algorithm>
#include <thread>

#include "kernels/levels.h"
#include "measure/machine_files.h"
#include "parallel/topology.h"

namespace carat::measure {
namespace {

std::string compiler() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("gcc {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

std::string system_name() {
  utsname names = {};
  if (::uname(&names) != 0) return "unknown";
  return fmt::format("{} {} {}", names.sysname, names.release, names.machine);
}

void find_levels(const DoctorInput& input, DoctorReport& report) {
  std::string_view used = kernels::best_level().name;
  if (!input.forced_level.empty()) {
    const auto forced = kernels::find_level(input.forced_level);
    used = forced ? (*forced)->name : std::string_view();
    if (!forced)
      report.advice.push_back("The level asked for cannot be used: " + printable(forced.error().message));
  }
  for (const kernels::Level& level : kernels::levels()) {
    report.levels.push_back({std::string(level.name), level.available, level.name == used});
  }
}

void find_memory(const TextFileReader& read, DoctorReport& report) {
  if (const auto meminfo = read("/proc/meminfo")) {
    report.memory_total = memory_value(*meminfo, "MemTotal");
    report.memory_available = memory_value(*meminfo, "MemAvailable");
  }
  const auto huge_pages = read("/sys/kernel/mm/transparent_hugepage/enabled");
  report.huge_pages = huge_pages ? chosen_word(*huge_pages) : "unknown";
}

}  // namespace

DoctorReport examine_machine(const DoctorInput& input, const TextFileReader& read) {
  DoctorReport report;
  report.version = input.version;
  report.compiler = compiler();
  report.system = system_name();
  report.cpu_name = cpu_name(read);
  report.online_cpus = std::max(1U, std::thread::hardware_concurrency());
  report.affinity_cpus = parallel::affinity_cpus();
  const parallel::CgroupLimits limits = parallel::cgroup_limits(read);
  report.quota_cpus = limits.cpus;
  report.memory_limit = limits.memory_bytes;
  report.usable_threads = parallel::threads_for(report.affinity_cpus, limits.cpus);
  report.sandbox = input.sandbox;
  report.model = input.model;
  find_levels(input, report);
  find_memory(read, report);
  add_advice(report);
  return report;
}

void add_advice(DoctorReport& report) {
  const auto simd = std::find_if(report.levels.begin(), report.levels.end(), [](const LevelStatus& level) {
    return level.present && level.name != "scalar";
  });
  if (simd == report.levels.end()) {
    report.advice.push_back(
        "This processor has none of the instruction sets that Carat is fast with (AVX2 or "
        "later): expect a tenth of the speed or less.");
  }
  if (!report.sandbox.holds) report.advice.push_back("Pictures cannot be read: " + report.sandbox.message);
  if (report.huge_pages == "never") {
    report.advice.push_back(
        "Transparent huge pages are switched off, and small pages make reading weights slower. "
        "As root: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
  }
  if (report.quota_cpus && *report.quota_cpus < static_cast<double>(report.affinity_cpus)) {
    report.advice.push_back(
        fmt::format("The control group gives {:.2f} CPUs of {}: Carat starts {} threads, since more would be "
                    "throttled.",
                    *report.quota_cpus, report.affinity_cpus, report.usable_threads));
  }
  if (!report.model.found) report.advice.push_back("Model: " + printable(report.model.message));
}

}  // namespace carat::measure
