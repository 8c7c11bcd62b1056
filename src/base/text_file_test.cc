#include "base/text_file.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace carat {
namespace {

std::string write_file(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

TEST(TextFile, ReadsEveryByteUpToTheLimitAndNoMore) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{16383}, std::size_t{16384},
                                 std::size_t{16385}, std::size_t{50000}}) {
    SCOPED_TRACE(size);
    std::string text(size, 'x');
    if (size > 0) text[size / 2] = '\0';
    const std::string path = write_file("text_file_test", text);
    EXPECT_EQ(read_text_file(path, size).value(), text);
    if (size > 0) {
      const auto cut = read_text_file(path, size - 1);
      ASSERT_FALSE(cut.has_value());
      EXPECT_EQ(cut.error().kind, ErrorKind::kFailed);
    }
    std::filesystem::remove(path);
  }
}

TEST(TextFile, ReadsFilesThatClaimToBeEmpty) {
  EXPECT_NE(read_text_file("/proc/self/status", 1 << 20).value().find("VmHWM"), std::string::npos);
}

TEST(TextFile, TellsAnAbsentFileFromAnUnreadableOne) {
  EXPECT_EQ(read_text_file("/nowhere/at/all", 10).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(read_text_file(testing::TempDir(), 10).error().kind, ErrorKind::kFailed);
}

}  // namespace
}  // namespace carat
