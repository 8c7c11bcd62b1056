#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace carat::config {

// Where this user's files lie, by the XDG base directory specification.
struct Directories {
  std::filesystem::path config;  // config.toml
  std::filesystem::path data;    // models/
  std::filesystem::path state;   // history
  std::filesystem::path cache;   // images/: what can be computed anew
};

// The value of an environment variable; nullopt when it is not set.
using Lookup = std::function<std::optional<std::string>(const char* name)>;

// XDG_CONFIG_HOME/carat and so on. Variables that are empty or hold no absolute path do not count, as the
// specification says. `home` stands in where HOME is not set.
Directories user_directories(const Lookup& environment, const std::filesystem::path& home);

// The same for this process; the password database says where home is.
Directories user_directories();

}  // namespace carat::config
