#pragma once

// Backends and stored weights for tests of the processor backend.

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "base/byte_source.h"
#include "base/check.h"
#include "tensor/stored_tensor.h"
#include "tensor/test_stored_rows.h"

namespace carat::backend {

// At the level that CARAT_CPU names, or else the best one.
inline std::unique_ptr<Backend> cpu_backend(std::size_t threads, bool exact_activations = false) {
  const char* const level = std::getenv("CARAT_CPU");
  auto made = make_cpu_backend({threads, level == nullptr ? "" : level, exact_activations});
  CARAT_CHECK(made.has_value());
  return *std::move(made);
}

// A matrix in a file of its own, behind a few other bytes.
class StoredMatrix {
 public:
  explicit StoredMatrix(const tensor::StoredRows& rows)
      : type_(rows.type), rows_(rows.count()), columns_(rows.columns), row_scales_(rows.row_scales) {
    std::vector<std::byte> bytes(kOffset, std::byte{0xFF});
    bytes.insert(bytes.end(), rows.bytes.begin(), rows.bytes.end());
    source_ = memory_source("tiny.gguf", std::move(bytes));
  }

  tensor::StoredTensor tensor() const {
    return {"blk.3.ffn_up.weight", source_.get(), kOffset, type_, rows_, columns_, row_scales_};
  }

 private:
  static constexpr std::size_t kOffset = 13;

  tensor::ElementType type_;
  std::size_t rows_;
  std::size_t columns_;
  std::vector<float> row_scales_;
  std::unique_ptr<ByteSource> source_;
};

inline std::unique_ptr<Linear> packed(Backend& backend, const StoredMatrix& matrix,
                                      std::span<const float> bias = {}) {
  auto linear = backend.pack(matrix.tensor(), bias);
  CARAT_CHECK(linear.has_value());
  return *std::move(linear);
}

}  // namespace carat::backend
