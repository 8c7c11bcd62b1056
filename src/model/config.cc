#include "model/config.h"

#include <cmath>

#include "model/config_checker.h"
#include "tensor/half.h"

namespace carat::model {
namespace {

// Bounds of what is accepted. They leave room above the largest Gemma 3 (62 layers, d_model 5376, 32 heads,
// ffn 21,504, 131,072 positions) and keep every product of two of them far from overflow.
constexpr std::size_t kMaxLayers = 128;
constexpr std::size_t kMaxWidth = 16'384;
constexpr std::size_t kMaxHeads = 128;
constexpr std::size_t kMaxHeadDim = 512;
constexpr std::size_t kMaxFfn = 131'072;
constexpr std::size_t kMaxVocab = 300'000;
constexpr std::size_t kMaxContext = std::size_t{1} << 20;
constexpr float kMinEpsilon = 1e-12F;
constexpr float kMaxEpsilon = 0.01F;
constexpr float kMaxTheta = 1e9F;
constexpr float kMaxFactor = 1024.0F;
constexpr float kMaxQueryScale = 16.0F;

}  // namespace

float GemmaConfig::embedding_scale() const {
  const float exact = std::sqrt(static_cast<float>(d_model));
  return embedding_scale_bf16 ? tensor::bf16_to_f32(tensor::f32_to_bf16(exact)) : exact;
}

Result<> validate_layer_count(std::size_t layers, std::string_view file) {
  return ConfigChecker(file).count("layers", layers, 1, kMaxLayers);
}

Result<> validate(const GemmaConfig& config, std::string_view file) {
  const ConfigChecker check(file);
  CARAT_TRY_VOID(validate_layer_count(config.layers, file));
  CARAT_TRY_VOID(check.count("d_model", config.d_model, 1, kMaxWidth));
  CARAT_TRY_VOID(check.count("query heads", config.heads, 1, kMaxHeads));
  CARAT_TRY_VOID(check.count("KV heads", config.kv_heads, 1, config.heads));
  CARAT_TRY_VOID(check.count("head_dim", config.head_dim, 2, kMaxHeadDim));
  CARAT_TRY_VOID(check.count("ffn width", config.ffn, 1, kMaxFfn));
  CARAT_TRY_VOID(check.count("vocabulary rows", config.vocab, 1, kMaxVocab));
  CARAT_TRY_VOID(check.count("context length", config.max_context, 1, kMaxContext));
  CARAT_TRY_VOID(check.count("sliding window", config.sliding_window, 1, kMaxContext));
  if (config.heads % config.kv_heads != 0) {
    return fail(ErrorKind::kInvalidModel, "{}: {} query heads cannot share {} KV heads evenly", file,
                config.heads, config.kv_heads);
  }
  if (config.head_dim % 2 != 0) {
    return fail(ErrorKind::kInvalidModel, "{}: head_dim: expected an even number, found {}", file,
                config.head_dim);
  }
  if (config.layer_kinds.size() != config.layers) {
    return fail(ErrorKind::kInvalidModel, "{}: the layer pattern has {} entries for {} layers", file,
                config.layer_kinds.size(), config.layers);
  }
  CARAT_TRY_VOID(check.number("RMS norm epsilon", config.norm_epsilon, kMinEpsilon, kMaxEpsilon));
  CARAT_TRY_VOID(check.number("local RoPE theta", config.rope_theta_local, 1.0F, kMaxTheta));
  CARAT_TRY_VOID(check.number("global RoPE theta", config.rope_theta_global, 1.0F, kMaxTheta));
  CARAT_TRY_VOID(check.number("RoPE scaling factor", config.rope_factor_global, 1.0F, kMaxFactor));
  CARAT_TRY_VOID(check.number("query scale", config.query_scale, 1e-6F, kMaxQueryScale));
  return {};
}

std::vector<LayerKind> periodic_layer_kinds(std::size_t layers, std::size_t period) {
  std::vector<LayerKind> kinds(layers, LayerKind::kLocal);
  for (std::size_t layer = period - 1; layer < layers; layer += period) kinds[layer] = LayerKind::kGlobal;
  return kinds;
}

}  // namespace carat::model
