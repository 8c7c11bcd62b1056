#include "planner/weights.h"

#include <algorithm>

#include "base/check.h"
#include "base/checked_math.h"
#include "model/tensor_table.h"
#include "model/vision_tensor_table.h"
#include "tensor/panel.h"

namespace carat::planner {
namespace {

using model::TensorId;
using model::VisionPrecision;
using model::VisionTensorId;
using tensor::ElementType;

// How the tower holds a matrix: see VisionBlock::load and VisionTower::load.
ElementType vision_type(const model::VisionTensorInfo& tensor, VisionPrecision precision,
                        std::size_t columns) {
  if (precision == VisionPrecision::kF32) return ElementType::kF32;
  const bool int8 = precision == VisionPrecision::kInt8 && tensor.per_layer && columns % 32 == 0;
  return int8 ? ElementType::kQ8_0 : ElementType::kBF16;
}

// The MLP's inner width in memory: whole blocks.
std::uint64_t padded_ffn(const model::VisionConfig& config) { return round_up(config.ffn, 32); }

}  // namespace

TensorBytes& TensorBytes::operator+=(const TensorBytes& other) {
  parameters += other.parameters;
  stored += other.stored;
  packed += other.packed;
  return *this;
}

TensorBytes matrix_bytes(ElementType type, std::uint64_t rows, std::uint64_t columns) {
  const std::uint64_t scales = tensor::info(type).row_scaled ? rows * sizeof(float) : 0;
  const std::uint64_t packed = ceil_div(rows, tensor::kPanelRows) * tensor::panel_layout(type, columns).bytes;
  return {.parameters = rows * columns,
          .stored = rows * tensor::row_bytes(type, columns).value_or(0) + scales,
          .packed = packed};
}

TensorBytes vector_bytes(ElementType type, std::uint64_t size) {
  return {.parameters = size,
          .stored = tensor::row_bytes(type, size).value_or(0),
          .packed = size * sizeof(float)};
}

namespace {

bool is_matrix(const model::VisionTensorInfo& tensor) {
  return tensor.rows != model::VisionAxis::kOne && tensor.id != VisionTensorId::kPositions;
}

// Of a tensor, in one layer where it belongs to layers.
TensorBytes vision_tensor_bytes(const model::VisionTensorInfo& tensor, const model::VisionConfig& config,
                                VisionPrecision precision) {
  const std::uint64_t rows = model::extent(tensor.rows, config);
  const std::uint64_t columns = model::extent(tensor.columns, config);
  TensorBytes bytes;
  if (is_matrix(tensor)) {
    // The projection is stored as [input, output] and turned around.
    const bool turned = tensor.id == VisionTensorId::kProjection;
    const std::uint64_t out = tensor.id == VisionTensorId::kFc1 ? padded_ffn(config)
                              : turned                          ? columns
                                                                : rows;
    const std::uint64_t in = tensor.id == VisionTensorId::kFc2 ? padded_ffn(config) : turned ? rows : columns;
    bytes = matrix_bytes(vision_type(tensor, precision, in), out, in);
  } else {
    bytes = vector_bytes(ElementType::kF32, rows * columns);
    if (tensor.id == VisionTensorId::kFc1Bias) bytes.packed = padded_ffn(config) * sizeof(float);
  }
  bytes.parameters = rows * columns;
  bytes.stored = 2 * bytes.parameters;
  return bytes;
}

}  // namespace

TensorBytes TextWeights::total() const {
  TensorBytes all = decoder;
  all += embedding;
  all += head;
  return all;
}

TextWeights text_weights(const model::GemmaConfig& config, const TensorTypes& types) {
  TextWeights weights;
  const auto count = [&](const model::TensorInfo& tensor, std::size_t layer) {
    const std::size_t columns = model::extent(tensor.columns, config);
    const auto type = types(tensor.id, layer);
    if (!type) return;
    if (tensor.rows == model::Axis::kOne) {
      weights.decoder += vector_bytes(*type, columns);
      return;
    }
    const TensorBytes matrix = matrix_bytes(*type, model::extent(tensor.rows, config), columns);
    TensorBytes& part = tensor.id == TensorId::kEmbedding ? weights.embedding
                        : tensor.id == TensorId::kHead    ? weights.head
                                                          : weights.decoder;
    part += matrix;
    weights.matrices.push_back(matrix.packed);
    const bool is_float = tensor::info(*type).block_values == 1;
    std::size_t& widest = is_float ? weights.widest_float_row : weights.widest_integer_row;
    widest = std::max(widest, columns);
  };
  // In the order of model::Model::load.
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    for (const model::TensorInfo& tensor : model::tensor_table()) {
      if (tensor.per_layer) count(tensor, layer);
    }
  }
  for (const model::TensorInfo& tensor : model::tensor_table()) {
    if (!tensor.per_layer) count(tensor, 0);
  }
  return weights;
}

std::uint64_t adapter_bytes(const model::AdapterFile& adapter) {
  TensorBytes all;
  for (const model::AdapterEntry& entry : adapter.entries()) {
    for (const tensor::StoredTensor* half : {&entry.down, &entry.up}) {
      all += matrix_bytes(half->type, half->rows, half->columns);
    }
  }
  return all.packed;
}

VisionWeights vision_weights(const model::VisionConfig& config, VisionPrecision precision) {
  VisionWeights weights;
  std::vector<std::uint64_t> of_layer;
  std::vector<std::uint64_t> outer;
  for (const model::VisionTensorInfo& tensor : model::vision_tensor_table()) {
    const TensorBytes one = vision_tensor_bytes(tensor, config, precision);
    const std::uint64_t copies = tensor.per_layer ? config.layers : 1;
    weights.all += {one.parameters * copies, one.stored * copies, one.packed * copies};
    if (is_matrix(tensor)) (tensor.per_layer ? of_layer : outer).push_back(one.packed);
  }
  // In the order of model::VisionTower::load: the patches, the layers, the projection.
  CARAT_CHECK(outer.size() == 2);
  weights.matrices.push_back(outer.front());
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    weights.matrices.insert(weights.matrices.end(), of_layer.begin(), of_layer.end());
  }
  weights.matrices.push_back(outer.back());
  return weights;
}

}  // namespace carat::planner
