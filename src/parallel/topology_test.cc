#include "parallel/topology.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <map>
#include <string>
#include <thread>

namespace carat::parallel {
namespace {

using Files = std::map<std::string, std::string>;

TextFileReader reader(Files files) {
  return [files = std::move(files)](const std::string& path) -> Result<std::string> {
    const auto file = files.find(path);
    if (file == files.end()) return fail(ErrorKind::kNotFound, "no {}", path);
    return file->second;
  };
}

constexpr char kMountV2[] =
    "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

Files version_2(const std::string& group) {
  return {{"/proc/self/cgroup", "0::" + group + "\n"}, {"/proc/self/mountinfo", kMountV2}};
}

TEST(CgroupLimits, VersionTwoTakesTheTightestOfAllGroupsAround) {
  Files files = version_2("/user.slice/work");
  files["/sys/fs/cgroup/user.slice/cpu.max"] = "150000 100000\n";
  files["/sys/fs/cgroup/user.slice/memory.max"] = "max\n";
  files["/sys/fs/cgroup/user.slice/work/cpu.max"] = "400000 100000\n";
  files["/sys/fs/cgroup/user.slice/work/memory.max"] = "2147483648\n";
  const CgroupLimits limits = cgroup_limits(reader(files));
  EXPECT_DOUBLE_EQ(limits.cpus.value(), 1.5);
  EXPECT_EQ(limits.memory_bytes.value(), 2147483648U);
  EXPECT_EQ(limits.memory_left.value(), 2147483648U);  // nobody says what is used
}

TEST(CgroupLimits, PageCacheThatCanBeDroppedCountsAsLeft) {
  Files files = version_2("/outer/inner");
  files["/sys/fs/cgroup/outer/memory.max"] = "1000\n";
  files["/sys/fs/cgroup/outer/memory.current"] = "700\n";
  files["/sys/fs/cgroup/outer/memory.stat"] = "anon 1\ninactive_file 100\nactive_file 50\n";
  files["/sys/fs/cgroup/outer/inner/memory.max"] = "900\n";
  files["/sys/fs/cgroup/outer/inner/memory.current"] = "200\n";
  EXPECT_EQ(cgroup_limits(reader(files)).memory_left.value(), 400U);  // the outer group's
  files["/sys/fs/cgroup/outer/inner/memory.current"] = "901\n";
  EXPECT_EQ(cgroup_limits(reader(files)).memory_left.value(), 0U);
  files["/sys/fs/cgroup/outer/memory.stat"] = "inactive_file 701\ninactive_file x\n\n";
  files["/sys/fs/cgroup/outer/inner/memory.current"] = "x";
  EXPECT_EQ(cgroup_limits(reader(files)).memory_left.value(), 900U);
}

TEST(CgroupLimits, VersionTwoWithoutLimitsLimitsNothing) {
  Files files = version_2("/a");
  files["/sys/fs/cgroup/a/cpu.max"] = "max 100000\n";
  files["/sys/fs/cgroup/a/memory.max"] = "max\n";
  const CgroupLimits limits = cgroup_limits(reader(files));
  EXPECT_FALSE(limits.cpus.has_value());
  EXPECT_FALSE(limits.memory_bytes.has_value());
}

// A container sees its own group as the root of each mount; here a service runs in a group below that.
Files version_1(const std::string& group) {
  return {{"/proc/self/cgroup", "4:memory:" + group + "\n3:cpu,cpuacct:" + group + "\n0::/\n"},
          {"/proc/self/mountinfo",
           "31 30 0:27 /docker/ab /cg/cpu,cpuacct ro,nosuid master:10 - cgroup cgroup rw,cpu,cpuacct\n"
           "32 30 0:28 /docker/ab /cg/memory ro - cgroup cgroup rw,memory\n"},
          {"/cg/cpu,cpuacct/cpu.cfs_quota_us", "250000\n"},
          {"/cg/cpu,cpuacct/cpu.cfs_period_us", "100000\n"},
          {"/cg/memory/memory.limit_in_bytes", "1073741824\n"},
          {"/cg/memory/job/memory.limit_in_bytes", "4096\n"},
          {"/cg/memory/docker/ab/job/memory.limit_in_bytes", "1\n"},
          {"/cg/memory/c/job/memory.limit_in_bytes", "2\n"}};
}

TEST(CgroupLimits, VersionOneInsideAContainerStripsTheMountsRoot) {
  const CgroupLimits limits = cgroup_limits(reader(version_1("/docker/ab/job")));
  EXPECT_DOUBLE_EQ(limits.cpus.value(), 2.5);
  EXPECT_EQ(limits.memory_bytes.value(), 4096U);
  EXPECT_EQ(cgroup_limits(reader(version_1("/docker/ab"))).memory_bytes.value(), 1073741824U);
}

TEST(CgroupLimits, GroupBesideTheMountsRootFallsBackToTheMountPoint) {
  EXPECT_EQ(cgroup_limits(reader(version_1("/docker/abc/job"))).memory_bytes.value(), 1073741824U);
  EXPECT_EQ(cgroup_limits(reader(version_1("/other"))).memory_bytes.value(), 1073741824U);
}

TEST(CgroupLimits, VersionOneWritesNoLimitAsMinusOneAndAHugeNumber) {
  const CgroupLimits limits = cgroup_limits(reader({
      {"/proc/self/cgroup", "4:memory:/\n1:cpu:/\n"},
      {"/proc/self/mountinfo",
       "31 30 0:27 / /c rw - cgroup cgroup rw,cpu\n32 30 0:28 / /m rw - cgroup cgroup rw,memory\n"},
      {"/c/cpu.cfs_quota_us", "-1\n"},
      {"/c/cpu.cfs_period_us", "100000\n"},
      {"/m/memory.limit_in_bytes", "9223372036854771712\n"},
  }));
  EXPECT_FALSE(limits.cpus.has_value());
  EXPECT_FALSE(limits.memory_bytes.has_value());
}

TEST(CgroupLimits, GroupOutsideTheNamespaceFallsBackToTheMountPoint) {
  Files files = version_2("/../../other");
  files["/sys/fs/cgroup/cpu.max"] = "100000 100000\n";
  files["/sys/fs/cgroup/../../other/cpu.max"] = "1 100000\n";
  EXPECT_DOUBLE_EQ(cgroup_limits(reader(files)).cpus.value(), 1.0);
}

TEST(CgroupLimits, NonsenseLimitsNothing) {
  const std::string long_path(300'000, '/');
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "/x";
  const std::string contents[] = {"",        "\n", "x", ":", "::", "0:", ":::::", std::string("\0\0\xff", 3),
                                  long_path, deep};
  for (const std::string& cgroup : contents) {
    for (const std::string& mountinfo : {std::string(kMountV2), std::string(), std::string(" - "),
                                         std::string("a b c d e f - cgroup2"), std::string(5000, ' ')}) {
      const CgroupLimits limits =
          cgroup_limits(reader({{"/proc/self/cgroup", cgroup}, {"/proc/self/mountinfo", mountinfo}}));
      EXPECT_FALSE(limits.cpus.has_value());
    }
  }
  const char* const quotas[] = {"",          "max",           "0 100000", "100000 0",
                                "-5 100000", "1e5 1e5",       "1 2 3",    "18446744073709551616 1",
                                "nan nan",   "100000  100000"};
  for (const char* text : quotas) {
    SCOPED_TRACE(text);
    Files files = version_2("/");
    files["/sys/fs/cgroup/cpu.max"] = text;
    files["/sys/fs/cgroup/memory.max"] = text;
    EXPECT_FALSE(cgroup_limits(reader(files)).cpus.has_value());
    EXPECT_FALSE(cgroup_limits(reader(files)).memory_bytes.has_value());
  }
}

TEST(CgroupLimits, EndlesslyNestedGroupsAreNotFollowedToTheEnd) {
  std::string group;
  for (int i = 0; i < 10'000; ++i) group += "/g";
  std::size_t reads = 0;
  const TextFileReader files = reader(version_2(group));
  (void)cgroup_limits([&](const std::string& path) {
    ++reads;
    return files(path);
  });
  EXPECT_LT(reads, 200U);
}

TEST(ThreadsFor, RoundsTheQuotaUpAndStaysWithinTheAffinity) {
  EXPECT_EQ(threads_for(8, std::nullopt), 8U);
  EXPECT_EQ(threads_for(8, 1.5), 2U);
  EXPECT_EQ(threads_for(8, 0.1), 1U);
  EXPECT_EQ(threads_for(8, 8.0), 8U);
  EXPECT_EQ(threads_for(2, 64.0), 2U);
  EXPECT_EQ(threads_for(2, 1e300), 2U);
  EXPECT_EQ(threads_for(0, std::nullopt), 1U);
}

TEST(AffinityCpus, FollowsTheMaskOfTheThread) {
  std::thread pinned([] {
    cpu_set_t first;
    CPU_ZERO(&first);
    cpu_set_t before;
    ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &before)) {
        CPU_SET(cpu, &first);
        break;
      }
    }
    ASSERT_EQ(::sched_setaffinity(0, sizeof first, &first), 0);
    EXPECT_EQ(affinity_cpus(), 1U);
    EXPECT_EQ(usable_threads(), 1U);
  });
  pinned.join();
  EXPECT_GE(affinity_cpus(), 1U);
}

}  // namespace
}  // namespace carat::parallel
