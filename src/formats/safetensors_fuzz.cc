// Any bytes as a safetensors file.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "formats/safetensors.h"

using namespace carat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto tensors = formats::read_safetensors(memory_source("fuzz", {bytes.begin(), bytes.end()}));
  if (!tensors) return 0;
  for (const formats::TensorEntry& entry : tensors->entries()) {
    std::byte edge;
    CARAT_CHECK(entry.source->read_at(entry.offset, {&edge, 1}).has_value());
    CARAT_CHECK(entry.source->read_at(entry.offset + entry.bytes - 1, {&edge, 1}).has_value());
    CARAT_CHECK(formats::tensor_bytes(entry.type, entry.shape) == entry.bytes);
  }
  return 0;
}
