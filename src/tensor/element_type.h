#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace carat::tensor {

// How the numbers of a stored tensor are encoded. Quantized types hold blocks of values with shared scales;
// layouts are described in dequantize.cc, which decodes every one of them.
enum class ElementType : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
  kIQ4_XS,
  kInt4,
  kSFP8,
};
inline constexpr std::size_t kElementTypeCount = 17;

struct ElementTypeInfo {
  ElementType type;
  std::string_view name;  // as GGUF tools print it, e.g. "Q4_K"
  // The number GGUF files use; nullopt: GGUF has no such type, only safetensors files hold it.
  std::optional<std::uint32_t> ggml_id;
  std::size_t block_values;  // values per block: 1, 32 or 256
  std::size_t block_bytes;   // bytes per block
  // A row's values are further multiplied by a scale that is stored apart (StoredTensor::row_scales).
  bool row_scaled = false;
};

const ElementTypeInfo& info(ElementType type);
std::optional<ElementType> element_type_from_ggml_id(std::uint32_t ggml_id);

// Bytes of one row of `columns` values; nullopt when columns is no multiple of the block or on overflow.
std::optional<std::uint64_t> row_bytes(ElementType type, std::uint64_t columns);

}  // namespace carat::tensor
