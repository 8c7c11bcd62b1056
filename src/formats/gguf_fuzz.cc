// Any bytes as a GGUF file: every getter on every key, and every tensor's first and last byte.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "formats/gguf.h"

using namespace carat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto file = formats::read_gguf(memory_source("fuzz", {bytes.begin(), bytes.end()}));
  if (!file) return 0;
  for (const auto& [key, value] : file->metadata()) {
    (void)file->find_u32(key);
    (void)file->find_f32(key);
    (void)file->find_bool(key);
    (void)file->find_string(key);
    (void)file->get_f32_array(key);
    (void)file->get_i32_array(key);
    if (file->is_array(key)) (void)file->get_bool_array(key);
    if (const auto strings = file->get_string_array(key)) (void)(*strings)->views();
  }
  for (const formats::TensorEntry& entry : file->tensors().entries()) {
    std::byte edge;
    CARAT_CHECK(entry.source->read_at(entry.offset, {&edge, 1}).has_value());
    CARAT_CHECK(entry.source->read_at(entry.offset + entry.bytes - 1, {&edge, 1}).has_value());
    CARAT_CHECK(file->tensors().find(entry.name) == &entry);
  }
  return 0;
}
