#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/levels.h"
#include "model/checkpoint.h"
#include "parallel/thread_pool.h"
#include "quantize/precision.h"
#include "tensor/element_type.h"

namespace carat::quantize {

struct QuantizeOptions {
  Precision precision = Precision::kInt4Block;
  std::string output;          // a .gguf file, or a folder for safetensors
  bool measure_error = false;  // of every tensor
  // All levels that agree to the bit write the same file.
  const kernels::Kernels* kernels = kernels::best_level().kernels;
  // Mean squares of the activations that a matrix is multiplied with, by the source's name of it. A matrix
  // without an entry weighs all columns alike.
  std::map<std::string, std::vector<float>, std::less<>> importance = {};
};

struct TensorReport {
  std::string name;
  tensor::ElementType from = tensor::ElementType::kF32;
  tensor::ElementType to = tensor::ElementType::kF32;
  std::uint64_t values = 0;
  double relative_error = 0.0;  // root of sum (new - old)^2 / sum old^2; 0 for what is copied
};

struct QuantizeReport {
  std::vector<TensorReport> tensors;
  std::vector<std::string> remarks;  // for people: what was left out, what may disappoint
  std::uint64_t source_bytes = 0;    // of the tensors read
  std::uint64_t output_bytes = 0;    // written
};

// Bytes of the source that are done, and in all.
using QuantizeProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Writes the checkpoint in another precision: tensor by tensor, in bounded memory. The output appears at once
// and whole, or not at all. kUsage for an output whose name and precision do not go together, that is the
// source or a folder in use; kDiskFull before anything is written when there is no room for it; the errors of
// reading; kInterrupted on `stop`.
Result<QuantizeReport> quantize_model(const model::Checkpoint& source, const QuantizeOptions& options,
                                      parallel::ThreadPool& pool, const QuantizeProgress& progress,
                                      const std::stop_token& stop);

}  // namespace carat::quantize
