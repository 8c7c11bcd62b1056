#include "base/output_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace carat {
namespace {

class OutputFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("output_file." + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const char* name) const { return folder_ / name; }
  std::string content(const char* name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator()));
  }

  std::filesystem::path folder_;
};

TEST_F(OutputFileTest, TheNameAppearsAtCommitWithTheWholeContent) {
  auto file = OutputFile::create(path("a"));
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_TRUE(file->write("one "));
  EXPECT_FALSE(std::filesystem::exists(path("a")));
  ASSERT_TRUE(file->write("two"));
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(content("a"), "one two");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(OutputFileTest, WithoutCommitTheOldFileStaysAndNothingElse) {
  ASSERT_TRUE(write_file(path("a"), "old"));
  {
    auto file = OutputFile::create(path("a"));
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write("new"));
  }
  EXPECT_EQ(content("a"), "old");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(OutputFileTest, PrivateFilesAreForTheOwnerAlone) {
  ASSERT_TRUE(write_file(path("a"), "secret", OutputFile::Access::kPrivate));
  struct stat status = {};
  ASSERT_EQ(::stat(path("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(OutputFileTest, SymbolicLinksAreKept) {
  ASSERT_TRUE(write_file(path("target"), "old"));
  std::filesystem::create_symlink(path("target"), path("link"));
  ASSERT_TRUE(write_file(path("link"), "new"));
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_EQ(content("target"), "new");
}

TEST_F(OutputFileTest, ErrorsHaveTheirKinds) {
  const auto full = write_file("/dev/full", "x");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, ErrorKind::kDiskFull);

  const auto missing = write_file(path("no/such/folder/file"), "x");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);

  const auto folder = write_file(folder_, "x");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().kind, ErrorKind::kFailed);

  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  const auto old_handler = std::signal(SIGPIPE, SIG_IGN);
  const auto closed = write_all(ends[1], "pipe", std::string_view("x"));
  std::signal(SIGPIPE, old_handler);
  ::close(ends[1]);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().kind, ErrorKind::kClosedPipe);
}

}  // namespace
}  // namespace carat
