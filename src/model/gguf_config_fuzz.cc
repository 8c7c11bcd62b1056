// Any bytes as a GGUF file whose metadata describe a model.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "model/read_config.h"

using namespace carat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto file = formats::read_gguf(memory_source("fuzz", {bytes.begin(), bytes.end()}));
  if (!file) return 0;
  const auto config = model::config_from_gguf(*file);
  if (config) CARAT_CHECK(model::validate(*config, "fuzz").has_value());
  return 0;
}
