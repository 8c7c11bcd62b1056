#pragma once

// The table of one level. Included last by each level_*.cc, after its vectors.

#include "kernels/attention_inl.h"
#include "kernels/elementwise_inl.h"
#include "kernels/exp_inl.h"
#include "kernels/float_panel_inl.h"
#include "kernels/int_panel_inl.h"
#include "kernels/quantize_inl.h"
#ifdef __AVX512BF16__
#include "kernels/bf16_panel_inl.h"
#endif

namespace carat::kernels {
namespace {

void panel(const PanelJob& job) {
  switch (job.layout->type) {
    case tensor::ElementType::kF32: return multiply_all_rows<F32Weights>(job, job.panel);
    case tensor::ElementType::kF16: return multiply_all_rows<F16Weights>(job, job.panel);
#ifdef __AVX512BF16__
    case tensor::ElementType::kBF16: return bf16_dot_panel(job);
#else
    case tensor::ElementType::kBF16: return multiply_all_rows<BF16Weights>(job, job.panel);
#endif
    case tensor::ElementType::kSFP8: return multiply_sfp8(job);
    default: return int_panel(job);
  }
}

constexpr Kernels make_kernels(const char* level) {
  return {level,      rms_norm, add_rms_norm, layer_norm, head_norm_rope, geglu, gelu,  add_rows,
          add_scaled, quantize, panel,        store_kv,   attend,         merge, finish};
}

}  // namespace
}  // namespace carat::kernels
