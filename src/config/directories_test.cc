#include "config/directories.h"

#include <gtest/gtest.h>

#include <map>

namespace carat::config {
namespace {

Directories with(const std::map<std::string, std::string>& variables) {
  return user_directories(
      [&](const char* name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        if (found == variables.end()) return std::nullopt;
        return found->second;
      },
      "/passwd/home");
}

TEST(Directories, FollowTheXdgVariables) {
  const Directories directories =
      with({{"HOME", "/h"}, {"XDG_CONFIG_HOME", "/c"}, {"XDG_DATA_HOME", "/d"}, {"XDG_STATE_HOME", "/s"}});
  EXPECT_EQ(directories.config, "/c/carat");
  EXPECT_EQ(directories.data, "/d/carat");
  EXPECT_EQ(directories.state, "/s/carat");
}

TEST(Directories, DefaultToFoldersBelowHome) {
  EXPECT_EQ(with({{"HOME", "/h"}}).data, "/h/.local/share/carat");
  EXPECT_EQ(with({{"HOME", "/h"}}).config, "/h/.config/carat");
  EXPECT_EQ(with({{"HOME", "/h"}}).state, "/h/.local/state/carat");
  EXPECT_EQ(with({{"HOME", "/h"}}).cache, "/h/.cache/carat");
  EXPECT_EQ(with({{"XDG_CACHE_HOME", "/k"}}).cache, "/k/carat");
  EXPECT_EQ(with({}).config, "/passwd/home/.config/carat");
}

TEST(Directories, RelativeAndEmptyPathsDoNotCount) {
  EXPECT_EQ(with({{"HOME", "/h"}, {"XDG_DATA_HOME", "data"}}).data, "/h/.local/share/carat");
  EXPECT_EQ(with({{"HOME", ""}, {"XDG_DATA_HOME", ""}}).data, "/passwd/home/.local/share/carat");
}

}  // namespace
}  // namespace carat::config
