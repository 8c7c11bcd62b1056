// Any text as config.toml: whatever is accepted has the type and the range that the table states, which
// parse_value() checks again from the value's own text.
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "base/check.h"
#include "config/settings.h"

using namespace carat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  config::Sources sources;
  sources.file_name = "fuzz";
  sources.file_text = std::string(reinterpret_cast<const char*>(data), size);
  const auto resolution = config::resolve(sources);
  if (!resolution) {
    CARAT_CHECK(resolution.error().kind == ErrorKind::kUsage);
    return 0;
  }
  for (const config::SettingInfo& setting : config::settings_table()) {
    const config::Settings::Entry& entry = resolution->settings.entry(setting.id);
    if (entry.origin != config::Origin::kFile || setting.type == config::SettingType::kText) continue;
    CARAT_CHECK(config::parse_value(setting, config::to_text(entry.value), "fuzz").has_value());
  }
  return 0;
}
