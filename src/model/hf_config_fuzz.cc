// Any text as a config.json: what is accepted must be a valid configuration.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "model/read_config.h"

using namespace carat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto hf = model::config_from_hf(text, "fuzz");
  if (hf) CARAT_CHECK(model::validate(hf->config, "fuzz").has_value());
  return 0;
}
