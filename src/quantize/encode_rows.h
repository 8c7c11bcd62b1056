#pragma once

#include <cstddef>
#include <span>

#include "tensor/element_type.h"

namespace carat::quantize {

// How much each column of a matrix matters: mean squares of the activations it is multiplied with, positive,
// [columns]; empty where all matter alike.
using Importance = std::span<const float>;

// Whether `type` can be written; the readers know more.
bool can_encode(tensor::ElementType type);

// Encodes one row of finite values, a whole number of blocks, with the scales of least weighted squared error
// that the search finds, and never with more of it than the scale that clips nothing would give. `row_scale`
// comes back for types with one a row; SFP8 takes it as given, see sfp8_scale(). False when a scale is too
// large to be stored.
bool encode_row(tensor::ElementType type, std::span<const float> row, Importance importance,
                std::span<std::byte> out, float& row_scale);

// The scale of an SFP8 tensor whose largest magnitude is `largest`: 1 where everything fits as it is.
float sfp8_scale(float largest);

}  // namespace carat::quantize
