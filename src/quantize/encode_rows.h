#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "kernels/encode_kernels.h"
#include "quantize/part_encoder.h"
#include "tensor/element_type.h"

namespace carat::quantize {

// Whether `type` can be written; the readers know more.
bool can_encode(tensor::ElementType type);

struct EncodeOptions {
  tensor::ElementType type = tensor::ElementType::kQ4_0;
  std::size_t columns = 0;  // of a row, whole blocks
  Importance importance = {};
};

// Encodes rows [rows, columns] of finite values with the scales of least weighted squared error that the
// search finds, and never with more of it than the scales that clip nothing would give. row_scales [rows]
// come back for int4 per channel; SFP8 takes them as given, see sfp8_scale(); else there are none. Gives the
// first row that holds values too large for the type, or nothing when all of them fit.
std::optional<std::size_t> encode_rows(const EncodeOptions& options, const kernels::EncodeKernels& kernels,
                                       std::span<const float> rows, std::span<std::byte> out,
                                       std::span<float> row_scales);

// The scale of an SFP8 tensor whose largest magnitude is `largest`: 1 where everything fits as it is.
float sfp8_scale(float largest);

}  // namespace carat::quantize
