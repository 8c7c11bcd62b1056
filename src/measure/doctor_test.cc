#include "measure/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <map>
#include <string>

#include "kernels/levels.h"

namespace carat::measure {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

using Files = std::map<std::string, std::string>;

TextFileReader reader(Files files) {
  return [files = std::move(files)](const std::string& path) -> Result<std::string> {
    const auto file = files.find(path);
    if (file == files.end()) return fail(ErrorKind::kNotFound, "no {}", path);
    return file->second;
  };
}

Files machine() {
  return {{"/proc/cpuinfo", "model name\t: Some CPU\n"},
          {"/proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n"},
          {"/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"},
          {"/proc/self/cgroup", "0::/\n"},
          {"/proc/self/mountinfo", "29 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n"},
          {"/cg/cpu.max", "50000 100000\n"},
          {"/cg/memory.max", "2147483648\n"}};
}

DoctorInput with_model() {
  DoctorInput input;
  input.version = "1.2.3";
  input.model = {true, "/models/a.gguf", ""};
  input.sandbox = {true, "some layers"};
  return input;
}

std::size_t used_levels(const DoctorReport& report) {
  return static_cast<std::size_t>(std::count_if(report.levels.begin(), report.levels.end(),
                                                [](const LevelStatus& level) { return level.used; }));
}

TEST(Doctor, ReadsTheMachine) {
  const DoctorReport report = examine_machine(with_model(), reader(machine()));
  EXPECT_EQ(report.cpu_name, "Some CPU");
  EXPECT_EQ(report.memory_total, 16ULL << 30);
  EXPECT_EQ(report.memory_available, 8ULL << 30);
  EXPECT_EQ(report.memory_limit, 2ULL << 30);
  EXPECT_EQ(report.quota_cpus, 0.5);
  EXPECT_EQ(report.usable_threads, 1U);
  EXPECT_EQ(report.huge_pages, "madvise");
  EXPECT_THAT(report.advice, Contains(HasSubstr("The control group gives 0.50 CPUs")));
}

TEST(Doctor, NamesEveryLevelAndTheOneInUse) {
  DoctorReport report = examine_machine(with_model(), reader(machine()));
  EXPECT_EQ(report.levels.size(), kernels::levels().size());
  EXPECT_EQ(used_levels(report), 1U);

  DoctorInput forced = with_model();
  forced.forced_level = "scalar";
  report = examine_machine(forced, reader(machine()));
  EXPECT_EQ(report.levels.front().name, "scalar");
  EXPECT_TRUE(report.levels.front().used);

  forced.forced_level = "no-such-level";
  report = examine_machine(forced, reader(machine()));
  EXPECT_EQ(used_levels(report), 0U);
  EXPECT_THAT(report.advice, Contains(HasSubstr("no-such-level")));
}

TEST(Doctor, SurvivesAMachineThatTellsNothing) {
  const DoctorReport report = examine_machine({}, reader({}));
  EXPECT_EQ(report.cpu_name, "unknown");
  EXPECT_EQ(report.huge_pages, "unknown");
  EXPECT_FALSE(report.memory_total.has_value());
  EXPECT_GE(report.usable_threads, 1U);
  EXPECT_THAT(doctor_text(report),
              HasSubstr("memory       unknown, unknown available; control group unlimited\n"));
  EXPECT_TRUE(boost::json::parse(doctor_json(report)).at("memory_total").is_null());
}

DoctorReport healthy() {
  DoctorReport report;
  report.version = "1.2.3";
  report.compiler = "gcc 12";
  report.system = "Linux 6";
  report.cpu_name = "Some CPU";
  report.levels = {{"scalar", true, false}, {"avx2", true, true}, {"avx512vnni", false, false}};
  report.online_cpus = 8;
  report.affinity_cpus = 4;
  report.usable_threads = 4;
  report.memory_total = 16ULL << 30;
  report.memory_available = 3ULL << 29;
  report.huge_pages = "always";
  report.sandbox = {true, "some layers"};
  report.model = {true, "/models/a.gguf", ""};
  return report;
}

TEST(Doctor, HasNoAdviceWhenAllIsWell) {
  DoctorReport report = healthy();
  add_advice(report);
  EXPECT_THAT(report.advice, IsEmpty());
}

TEST(Doctor, AdvisesOnWhatIsWrong) {
  DoctorReport report = healthy();
  report.levels = {{"scalar", true, true}, {"avx2", false, false}};
  report.huge_pages = "never";
  report.sandbox = {false, "no filter"};
  report.model = {false, "nothing", "run carat pull\x1b[2J"};
  add_advice(report);
  ASSERT_EQ(report.advice.size(), 4U);
  EXPECT_THAT(report.advice[0], HasSubstr("AVX2"));
  EXPECT_EQ(report.advice[1], "Pictures cannot be read: no filter");
  EXPECT_THAT(report.advice[2], HasSubstr("echo madvise"));
  EXPECT_EQ(report.advice[3], "Model: run carat pull[2J");
}

TEST(Doctor, TextSaysItInLines) {
  EXPECT_EQ(doctor_text(healthy()),
            "carat        1.2.3, built with gcc 12\n"
            "system       Linux 6\n"
            "processor    Some CPU\n"
            "levels       scalar, avx2 (used), avx512vnni (not on this machine)\n"
            "threads      4 of 8 CPUs; affinity 4, control group unlimited\n"
            "memory       16.0 GiB, 1.5 GiB available; control group unlimited\n"
            "huge pages   always\n"
            "sandbox      some layers\n"
            "model        /models/a.gguf\n");
}

TEST(Doctor, JsonHasEveryField) {
  DoctorReport report = healthy();
  report.quota_cpus = 2.5;
  report.model.message = "\xff";
  const auto json = boost::json::parse(doctor_json(report));
  EXPECT_EQ(json.at("version").as_string(), "1.2.3");
  EXPECT_EQ(json.at("levels").at(1).at("name").as_string(), "avx2");
  EXPECT_TRUE(json.at("levels").at(1).at("used").as_bool());
  EXPECT_FALSE(json.at("levels").at(2).at("present").as_bool());
  EXPECT_DOUBLE_EQ(json.at("quota_cpus").to_number<double>(), 2.5);
  EXPECT_EQ(json.at("memory_total").to_number<std::uint64_t>(), 16ULL << 30);
  EXPECT_TRUE(json.at("memory_limit").is_null());
  EXPECT_TRUE(json.at("model").at("found").as_bool());
  EXPECT_EQ(json.at("model").at("message").as_string(), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace carat::measure
