#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/forwarding_backend.h"

namespace carat::quantize {

// The mean square of what each column of a matrix is multiplied with, by the matrix's name in its checkpoint.
using ActivationMoments = std::map<std::string, std::vector<float>, std::less<>>;

// A backend that computes as another does and adds up the squares of every linear layer's input on the way.
class ActivationRecorder final : public backend::ForwardingBackend {
 public:
  explicit ActivationRecorder(std::unique_ptr<backend::Backend> inner)
      : ForwardingBackend(*inner), owned_(std::move(inner)) {}

  // Of all rows so far, each a hundredth of the mean above what was measured, so that no column counts for
  // nothing. Matrices that were never used are absent.
  ActivationMoments moments() const;

  Result<std::unique_ptr<backend::Linear>> pack(const tensor::StoredTensor& weight,
                                                std::span<const float> bias) override;
  void linear(const backend::LinearInput& input, std::span<const backend::LinearCall> calls) override;

 private:
  struct Sums {
    std::string name;
    std::vector<double> squares;  // [columns]
    std::size_t rows = 0;
  };

  std::unique_ptr<backend::Backend> owned_;
  std::map<const backend::Linear*, Sums> sums_;
};

}  // namespace carat::quantize
