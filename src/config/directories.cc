#include "config/directories.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

namespace carat::config {
namespace {

std::filesystem::path absolute_or(const std::optional<std::string>& value, std::filesystem::path otherwise) {
  if (value && std::filesystem::path(*value).is_absolute()) return *value;
  return otherwise;
}

}  // namespace

Directories user_directories(const Lookup& environment, const std::filesystem::path& home) {
  const std::filesystem::path base = absolute_or(environment("HOME"), home);
  return {.config = absolute_or(environment("XDG_CONFIG_HOME"), base / ".config") / "carat",
          .data = absolute_or(environment("XDG_DATA_HOME"), base / ".local/share") / "carat",
          .state = absolute_or(environment("XDG_STATE_HOME"), base / ".local/state") / "carat",
          .cache = absolute_or(environment("XDG_CACHE_HOME"), base / ".cache") / "carat"};
}

Directories user_directories() {
  const passwd* user = ::getpwuid(::getuid());
  const std::filesystem::path home = user != nullptr && user->pw_dir != nullptr ? user->pw_dir : "/";
  return user_directories(
      [](const char* name) -> std::optional<std::string> {
        const char* value = std::getenv(name);
        if (value == nullptr) return std::nullopt;
        return value;
      },
      home);
}

}  // namespace carat::config
