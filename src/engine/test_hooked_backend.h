#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "backend/forwarding_backend.h"

namespace carat::engine {

// Another backend, with a place to look at, or to spoil, what happens inside of a step.
class HookedBackend final : public backend::ForwardingBackend {
 public:
  explicit HookedBackend(std::unique_ptr<backend::Backend> other)
      : ForwardingBackend(*other), owned_(std::move(other)) {}

  // Called after each addition to the residual stream, twice a layer, on the thread that runs the step.
  std::function<void(tensor::MatrixF32 x)> after_residual;

  void add_rms_norm(tensor::ConstMatrixF32 branch, std::span<const float> weight, float epsilon,
                    tensor::MatrixF32 x) override {
    inner().add_rms_norm(branch, weight, epsilon, x);
    if (after_residual) after_residual(x);
  }

 private:
  std::unique_ptr<backend::Backend> owned_;
};

}  // namespace carat::engine
