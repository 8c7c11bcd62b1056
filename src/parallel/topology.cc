#include "parallel/topology.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace carat::parallel {
namespace {

constexpr std::size_t kFileLimit = std::size_t{1} << 20;
constexpr std::size_t kMaxDepth = 64;  // of nested control groups looked at
// The kernel writes "no limit" in version 1 as the largest page-aligned number; nothing real comes near this.
constexpr std::uint64_t kUnlimitedMemory = std::uint64_t{1} << 60;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool lists(std::string_view comma_separated, std::string_view word) {
  const auto words = split(comma_separated, ',');
  return std::find(words.begin(), words.end(), word) != words.end();
}

// A whole non-negative number with nothing but white space after it.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <class T>
void tighten(std::optional<T>& limit, std::optional<T> other) {
  if (other && (!limit || *other < *limit)) limit = other;
}

std::optional<double> quota(std::optional<std::uint64_t> allowed, std::optional<std::uint64_t> period) {
  if (!allowed || !period || *allowed == 0 || *period == 0) return std::nullopt;
  return static_cast<double>(*allowed) / static_cast<double>(*period);
}

// One mounted hierarchy. `root` is the group that appears at mount_point: "/" or, in a container, its own.
struct Mount {
  std::string root;
  std::string mount_point;
};

// /proc/self/mountinfo: "36 35 0:30 ROOT MOUNT_POINT options [optional fields] - TYPE SOURCE SUPER_OPTIONS".
// `controller` empty: the version 2 hierarchy, otherwise the version 1 hierarchy with that controller.
std::optional<Mount> find_mount(std::string_view mountinfo, std::string_view controller) {
  for (const std::string_view line : split(mountinfo, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto before = split(line.substr(0, dash), ' ');
    const auto after = split(line.substr(dash + 3), ' ');
    if (before.size() < 6 || after.size() < 3) continue;
    const bool matches =
        controller.empty() ? after[0] == "cgroup2" : after[0] == "cgroup" && lists(after[2], controller);
    if (matches) return Mount{std::string(before[3]), std::string(before[4])};
  }
  return std::nullopt;
}

// /proc/self/cgroup: "4:cpu,cpuacct:/group" for version 1, "0::/group" for version 2.
std::optional<std::string> find_group(std::string_view self_cgroup, std::string_view controller) {
  for (const std::string_view line : split(self_cgroup, '\n')) {
    const std::size_t first = line.find(':');
    if (first == std::string_view::npos) continue;
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool matches = controller.empty() ? controllers.empty() : lists(controllers, controller);
    if (matches) return std::string(line.substr(second + 1));
  }
  return std::nullopt;
}

// Folders of the group and of all groups around it, as far as they are visible below the mount point.
std::vector<std::string> group_folders(std::string_view self_cgroup, std::string_view mountinfo,
                                       std::string_view controller) {
  const auto mount = find_mount(mountinfo, controller);
  const auto group = find_group(self_cgroup, controller);
  if (!mount || !group) return {};
  std::vector<std::string> folders = {mount->mount_point};
  std::string_view below = *group;
  if (mount->root != "/") {
    if (below != mount->root && !below.starts_with(mount->root + "/")) return folders;
    below.remove_prefix(mount->root.size());
  }
  for (const std::string_view name : split(below, '/')) {
    if (name.empty()) continue;
    // A group outside the namespace's root is shown as "/../x": only the mount point can be looked at then.
    if (name == ".." || folders.size() == kMaxDepth) break;
    folders.push_back(folders.back() + "/" + std::string(name));
  }
  return folders;
}

std::optional<std::uint64_t> read_number(const TextFileReader& read, const std::string& path) {
  const auto text = read(path);
  return text ? parse_number(*text) : std::nullopt;
}

// "150000 100000", or "max 100000" for no limit.
std::optional<double> read_cpu_max(const TextFileReader& read, const std::string& path) {
  const auto text = read(path);
  if (!text) return std::nullopt;
  const auto fields = split(*text, ' ');
  if (fields.size() != 2) return std::nullopt;
  return quota(parse_number(fields[0]), parse_number(fields[1]));
}

// Of memory.stat, "KEY NUMBER" a line; 0 where it is not there.
std::uint64_t read_statistic(const TextFileReader& read, const std::string& path, std::string_view key) {
  const auto text = read(path);
  if (!text) return 0;
  for (const std::string_view line : split(*text, '\n')) {
    const auto fields = split(line, ' ');
    if (fields.size() == 2 && fields[0] == key) return parse_number(fields[1]).value_or(0);
  }
  return 0;
}

// The files in which a version of control groups tells about memory.
struct MemoryFiles {
  const char* limit;
  const char* used;
  const char* droppable;  // in memory.stat
};
constexpr MemoryFiles kMemoryFiles2 = {"/memory.max", "/memory.current", "inactive_file"};
constexpr MemoryFiles kMemoryFiles1 = {"/memory.limit_in_bytes", "/memory.usage_in_bytes",
                                       "total_inactive_file"};

void tighten_memory(const TextFileReader& read, const std::string& folder, const MemoryFiles& files,
                    CgroupLimits& limits) {
  const auto limit = read_number(read, folder + files.limit);
  if (!limit || *limit >= kUnlimitedMemory) return;
  tighten(limits.memory_bytes, limit);
  const std::uint64_t used = read_number(read, folder + files.used).value_or(0);
  const std::uint64_t kept =
      used - std::min(used, read_statistic(read, folder + "/memory.stat", files.droppable));
  tighten(limits.memory_left, std::optional(*limit - std::min(*limit, kept)));
}

}  // namespace

CgroupLimits cgroup_limits(const TextFileReader& read) {
  CgroupLimits limits;
  const auto self_cgroup = read("/proc/self/cgroup");
  const auto mountinfo = read("/proc/self/mountinfo");
  if (!self_cgroup || !mountinfo) return limits;
  for (const std::string& folder : group_folders(*self_cgroup, *mountinfo, "")) {
    tighten(limits.cpus, read_cpu_max(read, folder + "/cpu.max"));
    tighten_memory(read, folder, kMemoryFiles2, limits);
  }
  for (const std::string& folder : group_folders(*self_cgroup, *mountinfo, "cpu")) {
    tighten(limits.cpus, quota(read_number(read, folder + "/cpu.cfs_quota_us"),
                               read_number(read, folder + "/cpu.cfs_period_us")));
  }
  for (const std::string& folder : group_folders(*self_cgroup, *mountinfo, "memory")) {
    tighten_memory(read, folder, kMemoryFiles1, limits);
  }
  return limits;
}

std::size_t affinity_cpus() {
  // The kernel refuses a mask smaller than its own, so it grows until it is accepted.
  for (std::size_t cpus = 1024; cpus <= std::size_t{1} << 20; cpus *= 2) {
    std::vector<unsigned long> mask(cpus / (8 * sizeof(unsigned long)), 0UL);
    const std::size_t bytes = mask.size() * sizeof(unsigned long);
    auto* set = reinterpret_cast<cpu_set_t*>(mask.data());
    if (::sched_getaffinity(0, bytes, set) == 0) {
      return static_cast<std::size_t>(std::max(1, CPU_COUNT_S(bytes, set)));
    }
  }
  return std::max(1U, std::thread::hardware_concurrency());
}

std::size_t threads_for(std::size_t affinity, std::optional<double> quota_cpus) {
  std::size_t threads = std::max<std::size_t>(affinity, 1);
  if (quota_cpus && *quota_cpus < static_cast<double>(threads)) {
    threads = static_cast<std::size_t>(std::max(1.0, std::ceil(*quota_cpus)));
  }
  return threads;
}

std::size_t usable_threads() {
  const auto read = [](const std::string& path) { return read_text_file(path, kFileLimit); };
  return threads_for(affinity_cpus(), cgroup_limits(read).cpus);
}

}  // namespace carat::parallel
