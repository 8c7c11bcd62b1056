#pragma once

#include <cmath>
#include <cstddef>

#include "tensor/kv_block.h"

namespace carat::tests {

// Root-mean-square errors, relative to the values, that a backend makes where it rounds.
struct Precision {
  double activations = 0.0;  // of the input of each linear layer
  double kv = 0.0;           // of stored keys and values
};

// int8 in blocks of 32: the step is max / 127, errors are uniform within a step, so their deviation is
// step / sqrt(12); the largest of 32 normal values is 2.1 deviations on average, and a fifth more allows for
// the heavier tails behind gates. 2.5 / 127 / sqrt(12).
inline constexpr double kInt8Activations = 5.7e-3;
// A second int8 term rounds what the first left, at most half a step, in steps 254 times finer.
inline constexpr double kTwoTermActivations = kInt8Activations / 254;
// Activations rounded to bfloat16, unit roundoff 2^-8; uniform errors have 1 / sqrt(3) of the largest.
inline constexpr double kBf16Activations = 0x1p-8 / 1.732;
// Dot products of up to 512 terms in f32: unit roundoff 2^-24 times sqrt(512), rounding errors being random.
inline constexpr double kF32Activations = 0x1p-24 * 23;

constexpr double kv_rounding(tensor::KvType type) {
  switch (type) {
    case tensor::KvType::kF32: return 0.0;
    case tensor::KvType::kF16: return 0x1p-11 / 1.732;  // unit roundoff over sqrt(3), as above
    case tensor::KvType::kBF16: return 0x1p-8 / 1.732;
  }
  return 0.0;
}

// Largest error of any logit over the largest logit, for a model of `layers` decoder blocks with random
// weights whose attention scores have a deviation of `score_spread`.
//
// The residual stream is a sum of the embedding and 2 * layers branches, all of about unit size since each
// passes a norm. Errors are independent, so relative variances add:
//   attention  v and the output product round once each; a score's error, of q's and k's rounding, changes a
//   key's
//              share by as much times the spread. The cache rounds k and v.
//   MLP        gate and up round, and the down product's input.
// An error that a branch's input has already passes through v, q and k, or gate and up. The stream is the
// mean over its terms; the final norm keeps ratios, and the head's input rounds once more. The largest of N
// normal errors and the largest of N normal logits are the same number of deviations, so the ratio of the
// largest ones is that of the deviations. A factor of 2 covers tails that are not normal.
inline double logit_tolerance(const Precision& precision, std::size_t layers, double score_spread = 1.0) {
  const double activations = precision.activations * precision.activations;
  const double kv = precision.kv * precision.kv;
  const double spread = score_spread * score_spread;
  double variance = 0.0;
  double terms = 1.0;
  const auto add_branch = [&](double own, double gain) {
    variance = (terms * variance + own + gain * variance) / (terms + 1.0);
    terms += 1.0;
  };
  for (std::size_t layer = 0; layer < layers; ++layer) {
    add_branch((2.0 + 2.0 * spread) * activations + (1.0 + spread) * kv, 1.0 + 2.0 * spread);
    add_branch(3.0 * activations, 2.0);
  }
  return 2.0 * std::sqrt(variance + activations);
}

}  // namespace carat::tests
