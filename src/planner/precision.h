#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "model/checkpoint.h"
#include "model/config.h"
#include "model/tensor_table.h"
#include "tensor/element_type.h"

namespace carat::planner {

// Ways of storing all matrices of a text model, largest first.
enum class Precision : std::uint8_t { kBf16, kQ8_0, kSfp8, kQ4_K_M, kInt4Block, kInt4 };
inline constexpr std::array<Precision, 6> kPrecisions = {Precision::kBf16,      Precision::kQ8_0,
                                                         Precision::kSfp8,      Precision::kQ4_K_M,
                                                         Precision::kInt4Block, Precision::kInt4};

std::string_view name_of(Precision precision);                   // "int4-block": what --precision takes
std::string_view description_of(Precision precision);            // "int4 in blocks of 32"
std::optional<Precision> find_precision(std::string_view name);  // "q4_0" is int4-block too

// The element type of every tensor of a text model; nullopt where the model does not have it.
using TensorTypes = std::function<std::optional<tensor::ElementType>(model::TensorId, std::size_t layer)>;

// As the files have them.
TensorTypes types_of(const model::Checkpoint& checkpoint);

// Of a model, whose configuration must outlive the result, stored in that precision: norms in f32, the head
// tied to the embedding. A matrix whose rows are no multiple of a type's block takes a larger type whose
// block fits.
TensorTypes types_of(Precision precision, const model::GemmaConfig& config);

}  // namespace carat::planner
