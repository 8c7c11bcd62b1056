#include "base/byte_source.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace carat {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ByteSourceFile : public testing::Test {
 protected:
  void TearDown() override { fs::remove(path_); }

  void write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }

  const std::string path_ =
      testing::TempDir() + fmt::format("byte_source_test.{}", ::getpid());  // tests run side by side
};

TEST_F(ByteSourceFile, GivesTheBytesAtAnOffset) {
  write("0123456789");
  const auto source = open_file(path_).value();
  EXPECT_EQ(source->size(), 10U);
  std::array<char, 4> out = {};
  ASSERT_TRUE(source->read_at(6, std::as_writable_bytes(std::span(out))));
  EXPECT_EQ(std::string_view(out.data(), out.size()), "6789");
  EXPECT_EQ(source->read_at(7, std::as_writable_bytes(std::span(out))).error().kind,
            ErrorKind::kInvalidModel);
  EXPECT_EQ(source->read_at(~std::uint64_t{0}, std::as_writable_bytes(std::span(out))).error().kind,
            ErrorKind::kInvalidModel);
}

TEST_F(ByteSourceFile, TellsOfAFileThatShrankSinceItWasOpened) {
  write("0123456789");
  const auto source = open_file(path_).value();
  fs::resize_file(path_, 5);
  std::array<std::byte, 4> out = {};
  EXPECT_TRUE(source->read_at(1, out));
  const auto read = source->read_at(4, out);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().kind, ErrorKind::kInvalidModel);
  EXPECT_THAT(read.error().message, HasSubstr("changed while it was being read"));
}

TEST_F(ByteSourceFile, OpensRegularFilesOnlyAndNeverWaits) {
  EXPECT_EQ(open_file(path_).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(open_file(testing::TempDir()).error().kind, ErrorKind::kFailed);
  EXPECT_EQ(open_file("/dev/zero").error().kind, ErrorKind::kFailed);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(open_file(path_).error().kind, ErrorKind::kFailed);
}

TEST_F(ByteSourceFile, IsReadWholeUpToTheLimit) {
  const std::string text("a\0b", 3);
  write(text);
  EXPECT_EQ(read_whole_file(path_, 3).value(), text);
  const auto over = read_whole_file(path_, 2);
  ASSERT_FALSE(over.has_value());
  EXPECT_EQ(over.error().kind, ErrorKind::kInvalidModel);
}

}  // namespace
}  // namespace carat
