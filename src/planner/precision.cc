#include "planner/precision.h"

#include <utility>
#include <vector>

namespace carat::planner {

using model::TensorId;
using tensor::ElementType;

std::string_view name_of(Precision precision) { return quantize::info(precision).name; }

std::string_view description_of(Precision precision) { return quantize::info(precision).words; }

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
    return quantize::type_for(precision, id, layer, config);
  };
}

}  // namespace carat::planner
