#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace carat::quantize {

// The mean square of what each column of a matrix is multiplied with, by the matrix's name in its checkpoint.
using ActivationMoments = std::map<std::string, std::vector<float>, std::less<>>;

// A backend that computes as another does and adds up the squares of every linear layer's input on the way.
class ActivationRecorder final : public backend::Backend {
 public:
  explicit ActivationRecorder(std::unique_ptr<backend::Backend> inner) : inner_(std::move(inner)) {}

  // Of all rows so far, each a hundredth of the mean above what was measured, so that no column counts for
  // nothing. Matrices that were never used are absent.
  ActivationMoments moments() const;

  std::string description() const override { return inner_->description(); }
  backend::Rounding arithmetic(backend::Rounding allowed) const override {
    return inner_->arithmetic(allowed);
  }
  Result<std::unique_ptr<backend::Linear>> pack(const tensor::StoredTensor& weight,
                                                std::span<const float> bias) override;
  void linear(const backend::LinearInput& input, std::span<const backend::LinearCall> calls) override;

  void embed(const backend::Linear& table, std::span<const std::int32_t> ids, float scale,
             backend::MatrixF32 out) override {
    inner_->embed(table, ids, scale, out);
  }
  void rms_norm(backend::ConstMatrixF32 x, std::span<const float> weight, float epsilon,
                backend::MatrixF32 out) override {
    inner_->rms_norm(x, weight, epsilon, out);
  }
  void add_rms_norm(backend::ConstMatrixF32 branch, std::span<const float> weight, float epsilon,
                    backend::MatrixF32 x) override {
    inner_->add_rms_norm(branch, weight, epsilon, x);
  }
  void layer_norm(backend::ConstMatrixF32 x, std::span<const float> weight, std::span<const float> bias,
                  float epsilon, backend::MatrixF32 out) override {
    inner_->layer_norm(x, weight, bias, epsilon, out);
  }
  void head_norm_rope(backend::MatrixF32 x, std::span<const float> weight, float epsilon,
                      const backend::Rotation& rotation, float multiplier) override {
    inner_->head_norm_rope(x, weight, epsilon, rotation, multiplier);
  }
  void geglu(backend::MatrixF32 gate, backend::ConstMatrixF32 up) override { inner_->geglu(gate, up); }
  void gelu(backend::MatrixF32 x) override { inner_->gelu(x); }
  void add(backend::MatrixF32 x, backend::ConstMatrixF32 y) override { inner_->add(x, y); }
  void store_kv(backend::ConstMatrixF32 keys, backend::ConstMatrixF32 values,
                std::span<const std::uint32_t> positions, const backend::KvLayer& cache) override {
    inner_->store_kv(keys, values, positions, cache);
  }
  void attention(backend::ConstMatrixF32 q, std::size_t heads, const backend::KvLayer& cache,
                 std::span<const backend::KeyRange> visible, backend::MatrixF32 out) override {
    inner_->attention(q, heads, cache, visible, out);
  }
  void dense_attention(backend::ConstMatrixF32 q, backend::ConstMatrixF32 k, backend::ConstMatrixF32 v,
                       std::size_t heads, backend::Rounding rounding, backend::MatrixF32 out) override {
    inner_->dense_attention(q, k, v, heads, rounding, out);
  }

 private:
  struct Sums {
    std::string name;
    std::vector<double> squares;  // [columns]
    std::size_t rows = 0;
  };

  std::unique_ptr<backend::Backend> inner_;
  std::map<const backend::Linear*, Sums> sums_;
};

}  // namespace carat::quantize
