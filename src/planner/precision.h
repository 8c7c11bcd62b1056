#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>

#include "model/checkpoint.h"
#include "model/config.h"
#include "model/tensor_table.h"
#include "quantize/precision.h"
#include "tensor/element_type.h"

namespace carat::planner {

using quantize::Precision;

// All precisions, largest first.
inline constexpr std::array kPrecisions = {Precision::kBf16,   Precision::kQ8_0,      Precision::kSfp8,
                                           Precision::kQ4_K_M, Precision::kInt4Block, Precision::kInt4};

std::string_view name_of(Precision precision);         // "int4-block": what --precision takes
std::string_view description_of(Precision precision);  // "int4 in blocks of 32 (Q4_0)"

// The element type of every tensor of a text model; nullopt where the model does not have it.
using TensorTypes = std::function<std::optional<tensor::ElementType>(model::TensorId, std::size_t layer)>;

// As the files have them.
TensorTypes types_of(const model::Checkpoint& checkpoint);

// Of a model, whose configuration must outlive the result, as `carat quantize` stores it: norms in f32, the
// head tied to the embedding.
TensorTypes types_of(Precision precision, const model::GemmaConfig& config);

}  // namespace carat::planner
