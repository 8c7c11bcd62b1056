#pragma once

#include <chrono>
#include <utility>

#include "backend/forwarding_backend.h"
#include "base/clock.h"

namespace carat::measure {

// A backend that computes as another does and adds up how long its linear layers and its attention without a
// cache take. Both outlive it.
class TimedBackend final : public backend::ForwardingBackend {
 public:
  struct Times {
    std::chrono::nanoseconds linear{0};
    std::chrono::nanoseconds attention{0};
  };

  TimedBackend(backend::Backend& inner, const Clock& clock) : ForwardingBackend(inner), clock_(clock) {}

  // Since the last call.
  Times take_times() { return std::exchange(times_, {}); }

  void linear(const backend::LinearInput& input, std::span<const backend::LinearCall> calls) override {
    add_time(times_.linear, [&] { inner().linear(input, calls); });
  }
  void dense_attention(backend::ConstMatrixF32 q, backend::ConstMatrixF32 k, backend::ConstMatrixF32 v,
                       std::size_t heads, backend::Rounding rounding, backend::MatrixF32 out) override {
    add_time(times_.attention, [&] { inner().dense_attention(q, k, v, heads, rounding, out); });
  }

 private:
  template <class Work>
  void add_time(std::chrono::nanoseconds& sum, Work&& work) {
    const auto start = clock_.now();
    work();
    sum += clock_.now() - start;
  }

  const Clock& clock_;
  Times times_;
};

}  // namespace carat::measure
