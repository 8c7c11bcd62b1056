#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/adapter_file.h"
#include "model/vision_packing.h"
#include "planner/precision.h"
#include "tensor/element_type.h"

namespace carat::planner {

// One or more tensors, counted three ways.
struct TensorBytes {
  std::uint64_t parameters = 0;
  std::uint64_t stored = 0;  // in a file
  std::uint64_t packed = 0;  // in panels of 16 rows, as the backend computes with them

  TensorBytes& operator+=(const TensorBytes& other);
};

TensorBytes matrix_bytes(tensor::ElementType type, std::uint64_t rows, std::uint64_t columns);
TensorBytes vector_bytes(tensor::ElementType type, std::uint64_t size);  // f32 in memory

struct TextWeights {
  TensorBytes decoder;    // layers and norms
  TensorBytes embedding;  // also the head, where that is tied to it
  TensorBytes head;       // where it is not

  std::vector<std::uint64_t> matrices;  // packed bytes of each, in the order in which they are loaded

  TensorBytes total() const;
  std::size_t widest_float_row = 0;    // columns of the widest matrix of a float type, 0: there is none
  std::size_t widest_integer_row = 0;  // of an integer type
};
TextWeights text_weights(const model::GemmaConfig& config, const TensorTypes& types);

// What the matrices of a LoRA adapter occupy once they are packed.
std::uint64_t adapter_bytes(const model::AdapterFile& adapter);

// The image tower and its projector, packed in that precision; `stored` is counted in bf16.
struct VisionWeights {
  TensorBytes all;
  std::vector<std::uint64_t> matrices;  // packed bytes of each, in the order in which they are loaded
};
VisionWeights vision_weights(const model::VisionConfig& config, model::VisionPrecision precision);

}  // namespace carat::planner
