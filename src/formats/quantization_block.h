#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/tensor_directory.h"

namespace carat::formats {

// The member of a safetensors file's __metadata__ that describes tensors of row-scaled types, which the
// format itself does not know: docs/quantization.md. Its value is a JSON text.
inline constexpr std::string_view kQuantizationKey = "quantization";

struct QuantizedTensor {
  std::string name;
  tensor::ElementType type = tensor::ElementType::kSFP8;
  std::string scale;  // the name of the f32 tensor with its scales: [rows], or [1] for all rows
};

std::string quantization_text(std::span<const QuantizedTensor> tensors);

// Gives the tensors that `text` describes their types, shapes and scales, and takes the scale tensors out.
// `entries` are those of one file, in place; tensors of bytes come as SFP8. kInvalidModel, naming tensor,
// expected and found, where the text and the tensors do not agree or a scale is not finite and positive, and
// where a tensor of bytes is not described.
Result<> apply_quantization(std::string_view text, const std::string& file,
                            std::vector<TensorEntry>& entries);

}  // namespace carat::formats
