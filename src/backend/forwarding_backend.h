#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "backend/backend.h"

namespace carat::backend {

// A backend that computes as another does, which outlives it: what looks at an operation on its way, or
// changes it, overrides that operation alone.
class ForwardingBackend : public Backend {
 public:
  std::string description() const override { return inner_.description(); }
  Rounding arithmetic(Rounding allowed) const override { return inner_.arithmetic(allowed); }
  Result<std::unique_ptr<Linear>> pack(const tensor::StoredTensor& weight,
                                       std::span<const float> bias) override {
    return inner_.pack(weight, bias);
  }
  void linear(const LinearInput& input, std::span<const LinearCall> calls) override {
    inner_.linear(input, calls);
  }
  void embed(const Linear& table, std::span<const std::int32_t> ids, float scale, MatrixF32 out) override {
    inner_.embed(table, ids, scale, out);
  }
  void rms_norm(ConstMatrixF32 x, std::span<const float> weight, float epsilon, MatrixF32 out) override {
    inner_.rms_norm(x, weight, epsilon, out);
  }
  void add_rms_norm(ConstMatrixF32 branch, std::span<const float> weight, float epsilon,
                    MatrixF32 x) override {
    inner_.add_rms_norm(branch, weight, epsilon, x);
  }
  void layer_norm(ConstMatrixF32 x, std::span<const float> weight, std::span<const float> bias, float epsilon,
                  MatrixF32 out) override {
    inner_.layer_norm(x, weight, bias, epsilon, out);
  }
  void head_norm_rope(MatrixF32 x, std::span<const float> weight, float epsilon, const Rotation& rotation,
                      float multiplier) override {
    inner_.head_norm_rope(x, weight, epsilon, rotation, multiplier);
  }
  void geglu(MatrixF32 gate, ConstMatrixF32 up) override { inner_.geglu(gate, up); }
  void gelu(MatrixF32 x) override { inner_.gelu(x); }
  void add(MatrixF32 x, ConstMatrixF32 y) override { inner_.add(x, y); }
  void store_kv(ConstMatrixF32 keys, ConstMatrixF32 values, std::span<const std::uint32_t> positions,
                const KvLayer& cache) override {
    inner_.store_kv(keys, values, positions, cache);
  }
  void attention(ConstMatrixF32 q, std::size_t heads, const KvLayer& cache, std::span<const KeyRange> visible,
                 MatrixF32 out) override {
    inner_.attention(q, heads, cache, visible, out);
  }
  void dense_attention(ConstMatrixF32 q, ConstMatrixF32 k, ConstMatrixF32 v, std::size_t heads,
                       Rounding rounding, MatrixF32 out) override {
    inner_.dense_attention(q, k, v, heads, rounding, out);
  }

 protected:
  explicit ForwardingBackend(Backend& inner) : inner_(inner) {}
  Backend& inner() { return inner_; }

 private:
  Backend& inner_;
};

}  // namespace carat::backend
