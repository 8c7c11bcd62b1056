#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/config.h"
#include "model/tensor_table.h"
#include "tensor/element_type.h"

namespace carat::quantize {

// What a checkpoint can be turned into. Norms are never quantized.
enum class Precision : std::uint8_t {
  kBf16,
  kInt4,       // one scale an output channel
  kInt4Block,  // blocks of 32: ggml's Q4_0, with the embedding in more bits, as llama.cpp has it
  kSfp8,
  kQ8_0,
  kQ4_K_M,  // llama.cpp's mixture of 4- and 6-bit types
};

struct PrecisionInfo {
  Precision precision;
  std::string_view name;          // of --to
  std::string_view words;         // for people
  std::uint32_t gguf_file_type;   // general.file_type
  bool only_safetensors = false;  // GGUF has no such type
};
std::span<const PrecisionInfo> precisions();
const PrecisionInfo& info(Precision precision);
std::optional<Precision> find_precision(std::string_view name);

// How a matrix is stored. Rows that are no whole blocks of the wanted type get the type that llama.cpp falls
// back to, and bfloat16 or f16 where no block fits.
tensor::ElementType type_for(Precision precision, model::TensorId id, std::size_t layer,
                             const model::GemmaConfig& config);

}  // namespace carat::quantize
