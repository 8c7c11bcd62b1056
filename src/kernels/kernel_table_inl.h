#pragma once

// The table of one level. Included last by each level_*.cc, after its vectors.

#include "kernels/attention_inl.h"
#include "kernels/dense_attention_inl.h"
#include "kernels/dense_packing_inl.h"
#include "kernels/elementwise_inl.h"
#include "kernels/encode_inl.h"
#include "kernels/exp_inl.h"
#include "kernels/float_panel_inl.h"
#include "kernels/int_panel_inl.h"
#include "kernels/quantize_inl.h"
#ifdef __AVX512BF16__
#include "kernels/bf16_dense_inl.h"
#include "kernels/bf16_panel_inl.h"
#endif

namespace carat::kernels {
namespace {

void panel(const PanelJob& job) {
  switch (job.layout->type) {
    case tensor::ElementType::kF32: return multiply_float_panels<F32Weights>(job);
    case tensor::ElementType::kF16: return multiply_float_panels<F16Weights>(job);
#ifdef __AVX512BF16__
    case tensor::ElementType::kBF16: return bf16_dot_panel(job);
#else
    case tensor::ElementType::kBF16: return multiply_float_panels<BF16Weights>(job);
#endif
    case tensor::ElementType::kSFP8: return multiply_sfp8(job);
    default: return int_panel(job);
  }
}

#ifdef __AVX512BF16__
constexpr bool kRoundsBf16 = true;
constexpr DenseKernels kDenseBf16 = {pack_dense_bf16, attend_dense<DenseBf16>};
#else
constexpr bool kRoundsBf16 = false;
constexpr DenseKernels kDenseBf16 = {};
#endif

constexpr Kernels make_kernels(const char* level) {
  return {level,
          kRoundsBf16,
          rms_norm,
          add_rms_norm,
          layer_norm,
          head_norm_rope,
          geglu,
          gelu,
          add_rows,
          add_scaled,
          quantize,
          round_bf16,
          panel,
          store_kv,
          attend,
          merge,
          finish,
          {pack_dense_f32, attend_dense<DenseF32>},
          kDenseBf16,
          {pack_dense_int8, attend_dense<DenseInt8>},
          {widen_f16, widen_bf16, all_finite, fit_scales, fit_scales_and_mins, round_scales, encode}};
}

}  // namespace
}  // namespace carat::kernels
