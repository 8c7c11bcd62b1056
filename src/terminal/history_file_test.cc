#include "terminal/history_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace carat::terminal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class HistoryFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("history_file." + std::to_string(::getpid()));
    path_ = folder_ / "carat" / "history";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::vector<std::string> loaded() const {
    const auto entries = HistoryFile(path_).load();
    EXPECT_TRUE(entries) << entries.error().message;
    return entries.value_or(std::vector<std::string>());
  }
  unsigned mode(const std::filesystem::path& path) const {
    struct stat status = {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 0777U;
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

TEST_F(HistoryFileTest, EntriesComeBackInOrder) {
  EXPECT_THAT(loaded(), IsEmpty());
  const HistoryFile history(path_);
  ASSERT_TRUE(history.append("first"));
  ASSERT_TRUE(history.append("two\nlines \\n and \\\\ slashes\\"));
  ASSERT_TRUE(history.append(""));
  ASSERT_TRUE(history.append("第三"));
  EXPECT_THAT(loaded(), ElementsAre("first", "two\nlines \\n and \\\\ slashes\\", "第三"));
}

TEST_F(HistoryFileTest, IsForTheOwnerAlone) {
  ASSERT_TRUE(HistoryFile(path_).append("secret"));
  EXPECT_EQ(mode(path_), 0600U);
  EXPECT_EQ(mode(path_.parent_path()), 0700U);
  ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  ASSERT_TRUE(HistoryFile(path_).append("more"));
  EXPECT_EQ(mode(path_), 0600U);
}

TEST_F(HistoryFileTest, KeepsTheLastEntriesAndShortensTheFile) {
  std::filesystem::create_directories(path_.parent_path());
  {
    std::ofstream file(path_);
    for (int i = 0; i < 2500; ++i) file << i << '\n';
  }
  const auto entries = loaded();
  ASSERT_EQ(entries.size(), HistoryFile::kMaxEntries);
  EXPECT_EQ(entries.front(), "1500");
  EXPECT_EQ(entries.back(), "2499");
  EXPECT_EQ(std::filesystem::file_size(path_), 1000U * 5U);
}

TEST_F(HistoryFileTest, HugeEntriesAreNotKept) {
  ASSERT_TRUE(HistoryFile(path_).append("small"));
  ASSERT_TRUE(HistoryFile(path_).append(std::string(HistoryFile::kMaxEntryBytes + 1, 'x')));
  EXPECT_THAT(loaded(), ElementsAre("small"));
}

}  // namespace
}  // namespace carat::terminal
