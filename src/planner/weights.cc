#include "planner/weights.h"

#include <algorithm>

#include "base/checked_math.h"
#include "base/huge_buffer.h"
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
  resident += other.resident;
  return *this;
}

TensorBytes matrix_bytes(ElementType type, std::uint64_t rows, std::uint64_t columns) {
  const std::uint64_t scales = tensor::info(type).row_scaled ? rows * sizeof(float) : 0;
  const std::uint64_t packed = ceil_div(rows, tensor::kPanelRows) * tensor::panel_layout(type, columns).bytes;
  return {.parameters = rows * columns,
          .stored = rows * tensor::row_bytes(type, columns).value_or(0) + scales,
          .packed = packed,
          .resident = HugeBuffer::resident_bytes(packed)};
}

TensorBytes vector_bytes(ElementType type, std::uint64_t size) {
  return {.parameters = size,
          .stored = tensor::row_bytes(type, size).value_or(0),
          .packed = size * sizeof(float),
          .resident = size * sizeof(float)};
}

TensorBytes TextWeights::total() const {
  TensorBytes all = decoder;
  all += embedding;
  all += head;
  return all;
}

TextWeights text_weights(const model::GemmaConfig& config, const TensorTypes& types) {
  TextWeights weights;
  for (const model::TensorInfo& tensor : model::tensor_table()) {
    const std::size_t columns = model::extent(tensor.columns, config);
    for (std::size_t layer = 0; layer < (tensor.per_layer ? config.layers : 1); ++layer) {
      const auto type = types(tensor.id, layer);
      if (!type) continue;
      if (tensor.rows == model::Axis::kOne) {
        weights.decoder += vector_bytes(*type, columns);
        continue;
      }
      TensorBytes& part = tensor.id == TensorId::kEmbedding ? weights.embedding
                          : tensor.id == TensorId::kHead    ? weights.head
                                                            : weights.decoder;
      part += matrix_bytes(*type, model::extent(tensor.rows, config), columns);
      const bool is_float = tensor::info(*type).block_values == 1;
      std::size_t& widest = is_float ? weights.widest_float_row : weights.widest_integer_row;
      widest = std::max(widest, columns);
    }
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
  return all.resident;
}

TensorBytes vision_weights(const model::VisionConfig& config, VisionPrecision precision) {
  TensorBytes all;
  for (const model::VisionTensorInfo& tensor : model::vision_tensor_table()) {
    const std::uint64_t rows = model::extent(tensor.rows, config);
    const std::uint64_t columns = model::extent(tensor.columns, config);
    TensorBytes one;
    if (tensor.rows == model::VisionAxis::kOne || tensor.id == VisionTensorId::kPositions) {
      one = vector_bytes(ElementType::kF32, rows * columns);
      if (tensor.id == VisionTensorId::kFc1Bias)
        one.packed = one.resident = padded_ffn(config) * sizeof(float);
    } else {
      // The projection is stored as [input, output] and turned around.
      const bool turned = tensor.id == VisionTensorId::kProjection;
      const std::uint64_t out = tensor.id == VisionTensorId::kFc1 ? padded_ffn(config)
                                : turned                          ? columns
                                                                  : rows;
      const std::uint64_t in = tensor.id == VisionTensorId::kFc2 ? padded_ffn(config)
                               : turned                          ? rows
                                                                 : columns;
      one = matrix_bytes(vision_type(tensor, precision, in), out, in);
    }
    one.parameters = rows * columns;
    one.stored = 2 * one.parameters;
    const std::uint64_t copies = tensor.per_layer ? config.layers : 1;
    all += {one.parameters * copies, one.stored * copies, one.packed * copies, one.resident * copies};
  }
  return all;
}

}  // namespace carat::planner
