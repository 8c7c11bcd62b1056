#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include "backend/backend.h"
#include "base/clock.h"

namespace carat::measure {

// A backend that computes as another does and adds up how long its linear layers and its attention without a
// cache take. Both outlive it.
class TimedBackend final : public backend::Backend {
 public:
  struct Times {
    std::chrono::nanoseconds linear{0};
    std::chrono::nanoseconds attention{0};
  };

  TimedBackend(backend::Backend& inner, const Clock& clock) : inner_(inner), clock_(clock) {}

  // Since the last call.
  Times take_times() { return std::exchange(times_, {}); }

  std::string description() const override { return inner_.description(); }
  backend::Rounding arithmetic(backend::Rounding allowed) const override {
    return inner_.arithmetic(allowed);
  }
  Result<std::unique_ptr<backend::Linear>> pack(const tensor::StoredTensor& weight,
                                                std::span<const float> bias) override {
    return inner_.pack(weight, bias);
  }
  void linear(const backend::LinearInput& input, std::span<const backend::LinearCall> calls) override {
    add_time(times_.linear, [&] { inner_.linear(input, calls); });
  }
  void embed(const backend::Linear& table, std::span<const std::int32_t> ids, float scale,
             backend::MatrixF32 out) override {
    inner_.embed(table, ids, scale, out);
  }
  void rms_norm(backend::ConstMatrixF32 x, std::span<const float> weight, float epsilon,
                backend::MatrixF32 out) override {
    inner_.rms_norm(x, weight, epsilon, out);
  }
  void add_rms_norm(backend::ConstMatrixF32 branch, std::span<const float> weight, float epsilon,
                    backend::MatrixF32 x) override {
    inner_.add_rms_norm(branch, weight, epsilon, x);
  }
  void layer_norm(backend::ConstMatrixF32 x, std::span<const float> weight, std::span<const float> bias,
                  float epsilon, backend::MatrixF32 out) override {
    inner_.layer_norm(x, weight, bias, epsilon, out);
  }
  void head_norm_rope(backend::MatrixF32 x, std::span<const float> weight, float epsilon,
                      const backend::Rotation& rotation, float multiplier) override {
    inner_.head_norm_rope(x, weight, epsilon, rotation, multiplier);
  }
  void geglu(backend::MatrixF32 gate, backend::ConstMatrixF32 up) override { inner_.geglu(gate, up); }
  void gelu(backend::MatrixF32 x) override { inner_.gelu(x); }
  void add(backend::MatrixF32 x, backend::ConstMatrixF32 y) override { inner_.add(x, y); }
  void store_kv(backend::ConstMatrixF32 keys, backend::ConstMatrixF32 values,
                std::span<const std::uint32_t> positions, const backend::KvLayer& cache) override {
    inner_.store_kv(keys, values, positions, cache);
  }
  void attention(backend::ConstMatrixF32 q, std::size_t heads, const backend::KvLayer& cache,
                 std::span<const backend::KeyRange> visible, backend::MatrixF32 out) override {
    inner_.attention(q, heads, cache, visible, out);
  }
  void dense_attention(backend::ConstMatrixF32 q, backend::ConstMatrixF32 k, backend::ConstMatrixF32 v,
                       std::size_t heads, backend::Rounding rounding, backend::MatrixF32 out) override {
    add_time(times_.attention, [&] { inner_.dense_attention(q, k, v, heads, rounding, out); });
  }

 private:
  template <class Work>
  void add_time(std::chrono::nanoseconds& sum, Work&& work) {
    const auto start = clock_.now();
    work();
    sum += clock_.now() - start;
  }

  backend::Backend& inner_;
  const Clock& clock_;
  Times times_;
};

}  // namespace carat::measure
