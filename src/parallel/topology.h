#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/text_file.h"

namespace carat::parallel {

// How much of the machine a control group leaves to its processes; nullopt where nothing is limited.
struct CgroupLimits {
  std::optional<double> cpus;  // CPU quota / period, e.g. 1.5 cores
  std::optional<std::uint64_t> memory_bytes;
  // What the groups' processes have not used of it; page cache that can be dropped counts as unused.
  std::optional<std::uint64_t> memory_left;
};

// The limits of this process's control group and of those around it, the tightest of each kind. Knows version
// 2 (cpu.max, memory.max, memory.current) and version 1 (cpu.cfs_quota_us, memory.limit_in_bytes), also both
// mounted at once. `read` opens /proc/self/cgroup, /proc/self/mountinfo and files below the mount points they
// name. What cannot be read, or makes no sense, limits nothing.
CgroupLimits cgroup_limits(const TextFileReader& read);

// CPUs that the affinity mask of this thread allows, at least 1.
std::size_t affinity_cpus();

// Threads worth starting for `affinity` CPUs and a quota: min(affinity, ceil(quota)), at least 1.
std::size_t threads_for(std::size_t affinity, std::optional<double> quota_cpus);

// The same for this process: the default of -t. A thread more than the quota would only be throttled.
std::size_t usable_threads();

}  // namespace carat::parallel
