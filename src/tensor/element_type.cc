#include "tensor/element_type.h"

#include <array>

#include "base/checked_math.h"

namespace carat::tensor {
namespace {

using enum ElementType;

constexpr std::array<ElementTypeInfo, kElementTypeCount> kInfos = {{
    {kF32, "F32", 0, 1, 4},
    {kF16, "F16", 1, 1, 2},
    {kBF16, "BF16", 30, 1, 2},
    {kQ4_0, "Q4_0", 2, 32, 18},
    {kQ4_1, "Q4_1", 3, 32, 20},
    {kQ5_0, "Q5_0", 6, 32, 22},
    {kQ5_1, "Q5_1", 7, 32, 24},
    {kQ8_0, "Q8_0", 8, 32, 34},
    {kQ2_K, "Q2_K", 10, 256, 84},
    {kQ3_K, "Q3_K", 11, 256, 110},
    {kQ4_K, "Q4_K", 12, 256, 144},
    {kQ5_K, "Q5_K", 13, 256, 176},
    {kQ6_K, "Q6_K", 14, 256, 210},
    {kIQ4_NL, "IQ4_NL", 20, 32, 18},
    {kIQ4_XS, "IQ4_XS", 23, 256, 136},
    {kInt4, "INT4", std::nullopt, 32, 16, true},
    {kSFP8, "SFP8", std::nullopt, 1, 1, true},
}};

}  // namespace

const ElementTypeInfo& info(ElementType type) { return kInfos[static_cast<std::size_t>(type)]; }

std::optional<ElementType> element_type_from_ggml_id(std::uint32_t ggml_id) {
  for (const ElementTypeInfo& candidate : kInfos) {
    if (candidate.ggml_id == ggml_id) return candidate.type;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> row_bytes(ElementType type, std::uint64_t columns) {
  const ElementTypeInfo& layout = info(type);
  if (columns % layout.block_values != 0) return std::nullopt;
  return checked_mul<std::uint64_t>(columns / layout.block_values, layout.block_bytes);
}

}  // namespace carat::tensor
