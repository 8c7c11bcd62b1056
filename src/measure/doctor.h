#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/text_file.h"

namespace carat::measure {

// What the caller knows and this folder cannot find out.
struct ModelFinding {
  bool found = false;
  std::string path;     // where it lies, or the name that was looked for
  std::string message;  // why it was not found, or is not usable; empty when all is well
};
struct SandboxFinding {
  bool holds = false;   // a worker started and locked itself down
  std::string message;  // the layers that hold, or why none does
};
struct DoctorInput {
  std::string version;       // of the program
  std::string forced_level;  // the level asked for (CARAT_CPU), empty when none is
  ModelFinding model;
  SandboxFinding sandbox;
};

struct LevelStatus {
  std::string name;
  bool present = false;  // this machine has it
  bool used = false;
};

struct DoctorReport {
  std::string version;
  std::string compiler;
  std::string system;  // kernel and its release
  std::string cpu_name;
  std::vector<LevelStatus> levels;
  std::size_t online_cpus = 0;
  std::size_t affinity_cpus = 0;     // that this process may run on
  std::optional<double> quota_cpus;  // of the control group
  std::size_t usable_threads = 0;
  std::optional<std::uint64_t> memory_total;  // bytes
  std::optional<std::uint64_t> memory_available;
  std::optional<std::uint64_t> memory_limit;  // of the control group
  std::string huge_pages;                     // "always", "madvise", "never" or "unknown"
  SandboxFinding sandbox;                     // of the processes that read pictures
  ModelFinding model;
  std::vector<std::string> advice;  // what to change, a sentence each
};

// Looks at the machine; `read` opens files under /proc and /sys. What cannot be found out is left empty.
DoctorReport examine_machine(const DoctorInput& input, const TextFileReader& read);

// Appends what the other fields call for.
void add_advice(DoctorReport& report);

std::string doctor_text(const DoctorReport& report);
std::string doctor_json(const DoctorReport& report);

}  // namespace carat::measure
