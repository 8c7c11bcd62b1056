#include "planner/precision.h"

#include <utility>
#include <vector>

namespace carat::planner {
namespace {

using model::TensorId;
using tensor::ElementType;

struct PrecisionInfo {
  Precision precision;
  std::string_view name;
  std::string_view description;
  ElementType type;  // of most matrices
};

constexpr std::array<PrecisionInfo, kPrecisions.size()> kInfos = {{
    {Precision::kBf16, "bf16", "bfloat16", ElementType::kBF16},
    {Precision::kQ8_0, "q8_0", "int8 in blocks of 32", ElementType::kQ8_0},
    {Precision::kSfp8, "sfp8", "switching 8-bit floats", ElementType::kSFP8},
    {Precision::kQ4_K_M, "q4_k_m", "4 to 6 bits in blocks of 256", ElementType::kQ4_K},
    {Precision::kInt4Block, "int4-block", "int4 in blocks of 32", ElementType::kQ4_0},
    {Precision::kInt4, "int4", "int4 with a scale per row", ElementType::kInt4},
}};

const PrecisionInfo& info_of(Precision precision) { return kInfos[static_cast<std::size_t>(precision)]; }

// llama.cpp gives the matrices that matter most more bits: the embedding, which is the head too, and in its
// mix of types v_proj and down_proj in the first and last eighth of the layers and every third between them.
bool has_more_bits(Precision precision, TensorId id, std::size_t layer, std::size_t layers) {
  if (precision != Precision::kQ4_K_M && precision != Precision::kInt4Block) return false;
  if (id == TensorId::kEmbedding || id == TensorId::kHead) return true;
  if (precision == Precision::kInt4Block) return false;
  if (id != TensorId::kVProj && id != TensorId::kDownProj) return false;
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

// The type itself, or what takes its place where rows are no multiple of its block.
ElementType fitting(ElementType type, std::size_t columns) {
  if (columns % tensor::info(type).block_values == 0) return type;
  if (type == ElementType::kQ4_K && columns % 32 == 0) return ElementType::kQ5_0;
  if (type == ElementType::kQ6_K && columns % 32 == 0) return ElementType::kQ8_0;
  return ElementType::kBF16;
}

}  // namespace

std::string_view name_of(Precision precision) { return info_of(precision).name; }

std::string_view description_of(Precision precision) { return info_of(precision).description; }

std::optional<Precision> find_precision(std::string_view name) {
  if (name == "q4_0") return Precision::kInt4Block;
  for (const PrecisionInfo& info : kInfos) {
    if (info.name == name) return info.precision;
  }
  return std::nullopt;
}

TensorTypes types_of(const model::Checkpoint& checkpoint) {
  const std::size_t layers = checkpoint.config().layers;
  std::vector<std::optional<ElementType>> types(layers * model::kTensorIdCount);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (const model::TensorInfo& tensor : model::tensor_table()) {
      const auto stored = checkpoint.tensor(tensor.id, layer);
      if (stored) types[layer * model::kTensorIdCount + static_cast<std::size_t>(tensor.id)] = stored->type;
    }
  }
  return [types = std::move(types)](TensorId id, std::size_t layer) {
    return types[layer * model::kTensorIdCount + static_cast<std::size_t>(id)];
  };
}

TensorTypes types_of(Precision precision, const model::GemmaConfig& config) {
  return [precision, &config](TensorId id, std::size_t layer) -> std::optional<ElementType> {
    const model::TensorInfo& tensor = model::info(id);
    if (tensor.optional) return std::nullopt;
    if (tensor.rows == model::Axis::kOne) return ElementType::kF32;
    const bool more = has_more_bits(precision, id, layer, config.layers);
    return fitting(more ? ElementType::kQ6_K : info_of(precision).type,
                   model::extent(tensor.columns, config));
  };
}

}  // namespace carat::planner
