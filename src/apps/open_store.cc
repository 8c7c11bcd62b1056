#include "apps/open_store.h"

#include <filesystem>
#include <string>

#include "base/wall_clock.h"
#include "store/sqlite_store.h"

namespace carat::apps {

Result<std::unique_ptr<store::Store>> open_store(const Runtime& runtime) {
  static const SystemWallClock clock;
  const std::string name = runtime.settings.text(config::Setting::kStore);
  if (name == "none") return nullptr;
  const std::filesystem::path path =
      name.empty() ? runtime.directories.data / store::kStoreFileName : std::filesystem::path(name);
  return store::open_sqlite_store(path, clock);
}

}  // namespace carat::apps
