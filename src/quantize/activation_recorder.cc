#include "quantize/activation_recorder.h"

namespace carat::quantize {

Result<std::unique_ptr<backend::Linear>> ActivationRecorder::pack(const tensor::StoredTensor& weight,
                                                                  std::span<const float> bias) {
  CARAT_TRY(std::unique_ptr<backend::Linear> packed, inner().pack(weight, bias));
  sums_[packed.get()] = {weight.name, std::vector<double>(packed->columns(), 0.0), 0};
  return packed;
}

void ActivationRecorder::linear(const backend::LinearInput& input,
                                std::span<const backend::LinearCall> calls) {
  inner().linear(input, calls);
  std::vector<double> squares(input.x.columns(), 0.0);
  for (std::size_t t = 0; t < input.x.rows(); ++t) {
    const std::span<const float> row = input.x.row(t);
    for (std::size_t c = 0; c < row.size(); ++c) squares[c] += static_cast<double>(row[c]) * row[c];
  }
  for (const backend::LinearCall& call : calls) {
    Sums& sums = sums_.at(call.weights);
    for (std::size_t c = 0; c < squares.size(); ++c) sums.squares[c] += squares[c];
    sums.rows += input.x.rows();
  }
}

ActivationMoments ActivationRecorder::moments() const {
  ActivationMoments moments;
  for (const auto& [linear, sums] : sums_) {
    double mean = 0.0;
    for (const double square : sums.squares) mean += square / static_cast<double>(sums.squares.size());
    if (mean <= 0.0) continue;
    // Relative to the mean: only proportions matter, and f32 holds them.
    std::vector<float>& columns = moments[sums.name];
    for (const double square : sums.squares) columns.push_back(static_cast<float>(square / mean + 0.01));
  }
  return moments;
}

}  // namespace carat::quantize
