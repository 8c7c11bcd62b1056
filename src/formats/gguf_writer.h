#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"
#include "tensor/element_type.h"

namespace carat::formats {

// Builds a GGUF file, version 3: whole in memory, or its header for data that are streamed behind it. Keys
// and tensors appear in the order in which they are set; nothing is checked, so that tests can also write
// files that no reader should accept.
class GgufWriter {
 public:
  void set_u32(std::string_view key, std::uint32_t value);
  void set_f32(std::string_view key, float value);
  void set_bool(std::string_view key, bool value);
  void set_string(std::string_view key, std::string_view value);
  void set_f32_array(std::string_view key, std::span<const float> values);
  void set_i32_array(std::string_view key, std::span<const std::int32_t> values);
  void set_bool_array(std::string_view key, const std::vector<bool>& values);
  void set_string_array(std::string_view key, const std::vector<std::string>& values);

  // Any value that a reader gave.
  void set_value(std::string_view key, const GgufValue& value);

  // Tensors whose data the caller writes, in this order, each from the next multiple of kAlignment behind
  // header() on.
  static constexpr std::size_t kAlignment = 32;
  void declare_tensor(std::string_view name, tensor::ElementType type, std::span<const std::uint64_t> shape);
  std::vector<std::byte> header() const;  // padded to kAlignment

  // `shape` is outermost first, `stored` holds the values as `type` lays them out.
  void add_tensor(std::string_view name, tensor::ElementType type, std::span<const std::uint64_t> shape,
                  std::span<const std::byte> stored);

  std::vector<std::byte> finish() const;

 private:
  void begin_key(std::string_view key, GgufType type);
  void declare(std::string_view name, tensor::ElementType type, std::span<const std::uint64_t> shape,
               std::uint64_t bytes);
  void begin_array(std::string_view key, GgufType element, std::size_t count);

  std::vector<std::byte> metadata_;
  std::vector<std::byte> descriptions_;
  std::vector<std::byte> data_;
  std::uint64_t data_bytes_ = 0;  // declared so far
  std::uint64_t keys_ = 0;
  std::uint64_t tensors_ = 0;
};

}  // namespace carat::formats
