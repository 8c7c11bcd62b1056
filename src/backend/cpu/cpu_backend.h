#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "base/result.h"

namespace carat::backend {

struct CpuOptions {
  std::size_t threads = 1;
  // Instruction-set level: scalar, avx2, avxvnni, avx512vnni, avx512bf16. Empty: the best this machine has.
  // A level that the machine lacks is a kUsage error. A level named here does everything; otherwise bfloat16
  // dot products, where the machine has them, serve the operations that allow Rounding::kBf16.
  std::string level;
  // Two int8 terms for every activation row instead of one: about 2e-6 instead of 3e-3 mean KL, half the
  // speed.
  bool exact_activations = false;
};

// The backend for this machine's processor: integer dot products on quantized weights, f32 elsewhere.
Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuOptions& options);

}  // namespace carat::backend
