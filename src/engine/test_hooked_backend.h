#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "backend/backend.h"

namespace carat::engine {

// Another backend, with a place to look at, or to spoil, what happens inside of a step.
class HookedBackend final : public backend::Backend {
 public:
  explicit HookedBackend(std::unique_ptr<backend::Backend> other) : other_(std::move(other)) {}

  // Called after each addition to the residual stream, twice a layer, on the thread that runs the step.
  std::function<void(tensor::MatrixF32 x)> after_residual;

  std::string description() const override { return other_->description(); }
  backend::Rounding arithmetic(backend::Rounding allowed) const override {
    return other_->arithmetic(allowed);
  }
  Result<std::unique_ptr<backend::Linear>> pack(const tensor::StoredTensor& weight,
                                                std::span<const float> bias) override {
    return other_->pack(weight, bias);
  }
  void linear(const backend::LinearInput& input, std::span<const backend::LinearCall> calls) override {
    other_->linear(input, calls);
  }
  void embed(const backend::Linear& table, std::span<const std::int32_t> ids, float scale,
             tensor::MatrixF32 out) override {
    other_->embed(table, ids, scale, out);
  }
  void rms_norm(tensor::ConstMatrixF32 x, std::span<const float> weight, float epsilon,
                tensor::MatrixF32 out) override {
    other_->rms_norm(x, weight, epsilon, out);
  }
  void add_rms_norm(tensor::ConstMatrixF32 branch, std::span<const float> weight, float epsilon,
                    tensor::MatrixF32 x) override {
    other_->add_rms_norm(branch, weight, epsilon, x);
    if (after_residual) after_residual(x);
  }
  void layer_norm(tensor::ConstMatrixF32 x, std::span<const float> weight, std::span<const float> bias,
                  float epsilon, tensor::MatrixF32 out) override {
    other_->layer_norm(x, weight, bias, epsilon, out);
  }
  void head_norm_rope(tensor::MatrixF32 x, std::span<const float> weight, float epsilon,
                      const backend::Rotation& rotation, float multiplier) override {
    other_->head_norm_rope(x, weight, epsilon, rotation, multiplier);
  }
  void geglu(tensor::MatrixF32 gate, tensor::ConstMatrixF32 up) override { other_->geglu(gate, up); }
  void gelu(tensor::MatrixF32 x) override { other_->gelu(x); }
  void add(tensor::MatrixF32 x, tensor::ConstMatrixF32 y) override { other_->add(x, y); }
  void store_kv(tensor::ConstMatrixF32 keys, tensor::ConstMatrixF32 values,
                std::span<const std::uint32_t> positions, const tensor::KvLayer& cache) override {
    other_->store_kv(keys, values, positions, cache);
  }
  void attention(tensor::ConstMatrixF32 q, std::size_t heads, const tensor::KvLayer& cache,
                 std::span<const tensor::KeyRange> visible, tensor::MatrixF32 out) override {
    other_->attention(q, heads, cache, visible, out);
  }
  void dense_attention(tensor::ConstMatrixF32 q, tensor::ConstMatrixF32 k, tensor::ConstMatrixF32 v,
                       std::size_t heads, backend::Rounding rounding, tensor::MatrixF32 out) override {
    other_->dense_attention(q, k, v, heads, rounding, out);
  }

 private:
  std::unique_ptr<backend::Backend> other_;
};

}  // namespace carat::engine
