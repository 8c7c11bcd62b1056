#include "measure/machine_files.h"

#include <gtest/gtest.h>

#include <string>

namespace carat::measure {
namespace {

TextFileReader file_with(std::string text) {
  return [text = std::move(text)](const std::string&) -> Result<std::string> { return text; };
}

TEST(CpuName, IsTheFirstModelName) {
  EXPECT_EQ(cpu_name(file_with("processor\t: 0\nmodel name\t: AMD  EPYC 9\nmodel name\t: other\n")),
            "AMD  EPYC 9");
}

TEST(CpuName, IsUnknownWhereThereIsNone) {
  for (const char* text : {"", "\n", "model name", "model name\t:", "model name : \t \n", "my model name : x",
                           "model name\t:\x1b\x07\n"}) {
    EXPECT_EQ(cpu_name(file_with(text)), "unknown") << text;
  }
  EXPECT_EQ(
      cpu_name([](const std::string&) -> Result<std::string> { return fail(ErrorKind::kNotFound, "no"); }),
      "unknown");
}

TEST(MemoryValue, IsInBytes) {
  constexpr char kText[] =
      "MemTotal:       24684092 kB\nMemFree: 1 kB\nMemAvailable:   7 kB\nHugePages_Total:  3\n";
  EXPECT_EQ(memory_value(kText, "MemTotal"), 24684092ULL * 1024);
  EXPECT_EQ(memory_value(kText, "MemAvailable"), 7U * 1024);
  EXPECT_EQ(memory_value(kText, "HugePages_Total"), std::nullopt);  // a count, not kB
  EXPECT_EQ(memory_value(kText, "Mem"), std::nullopt);
}

TEST(AvailableMemory, IsTheLessOfWhatSystemAndGroupsLeave) {
  const auto reader = [](const std::string& meminfo, const std::string& limit) -> TextFileReader {
    return [=](const std::string& path) -> Result<std::string> {
      if (path == "/proc/meminfo") return meminfo;
      if (path == "/proc/self/cgroup") return "0::/a\n";
      if (path == "/proc/self/mountinfo") return "29 23 0:26 / /c rw - cgroup2 cgroup2 rw\n";
      if (path == "/c/a/memory.max") return limit;
      if (path == "/c/a/memory.current") return "1024\n";
      return fail(ErrorKind::kNotFound, "no {}", path);
    };
  };
  EXPECT_EQ(available_memory(reader("MemAvailable: 8 kB\n", "max")), 8192U);
  EXPECT_EQ(available_memory(reader("MemAvailable: 8 kB\n", "4096")), 3072U);
  EXPECT_EQ(available_memory(reader("MemAvailable: 2 kB\n", "4096")), 2048U);
  EXPECT_EQ(available_memory(reader("", "4096")), 3072U);
  EXPECT_EQ(available_memory(reader("", "max")), std::nullopt);
}

TEST(MemoryValue, RefusesWhatIsNoSize) {
  for (const char* text : {"", "MemTotal", "MemTotal:", "MemTotal: kB", "MemTotal: -1 kB", "MemTotal: 1e9 kB",
                           "MemTotal: 18446744073709551615 kB", "MemTotal: 99999999999999999999 kB",
                           "MemTotal: 5 MB", "MemTotal: 5 kB extra"}) {
    EXPECT_EQ(memory_value(text, "MemTotal"), std::nullopt) << text;
  }
}

TEST(ChosenWord, IsTheOneInBrackets) {
  EXPECT_EQ(chosen_word("always [madvise] never\n"), "madvise");
  EXPECT_EQ(chosen_word("[always] madvise never"), "always");
  for (const char* text : {"", "always", "[", "]", "[]", "] [", "[never"})
    EXPECT_EQ(chosen_word(text), "unknown");
}

TEST(Printable, KeepsTextAndDropsWhatMovesTheCursor) {
  EXPECT_EQ(printable("Gemma 3\n\x1b[31m| 270M\x7f é"), "Gemma 3[31m 270M é");
  EXPECT_EQ(printable("\xff"), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace carat::measure
