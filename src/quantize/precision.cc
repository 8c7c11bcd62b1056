#include "quantize/precision.h"

#include <algorithm>
#include <array>

namespace carat::quantize {
namespace {

using model::TensorId;
using tensor::ElementType;
using enum tensor::ElementType;

constexpr std::array<PrecisionInfo, 6> kPrecisions = {{
    {Precision::kBf16, "bf16", "bfloat16", 32},
    {Precision::kInt4, "int4", "int4 per channel", 0, true},
    {Precision::kInt4Block, "int4-block", "int4 in blocks of 32 (Q4_0)", 2},
    {Precision::kSfp8, "sfp8", "SFP8", 0, true},
    {Precision::kQ8_0, "q8_0", "Q8_0", 7},
    {Precision::kQ4_K_M, "q4_k_m", "Q4_K_M", 15},
}};

bool is_table(TensorId id) { return id == TensorId::kEmbedding || id == TensorId::kHead; }

// llama.cpp's choice of the layers whose v_proj and down_proj get more bits.
bool has_more_bits(std::size_t layer, std::size_t layers) {
  const std::size_t eighth = layers / 8;
  return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

ElementType wanted_type(Precision precision, TensorId id, std::size_t layer,
                        const model::GemmaConfig& config) {
  switch (precision) {
    case Precision::kBf16: return kBF16;
    case Precision::kInt4: return kInt4;
    case Precision::kInt4Block: return is_table(id) ? kQ6_K : kQ4_0;
    case Precision::kSfp8: return kSFP8;
    case Precision::kQ8_0: return kQ8_0;
    case Precision::kQ4_K_M: break;
  }
  const bool sensitive = id == TensorId::kVProj || id == TensorId::kDownProj;
  return is_table(id) || (sensitive && has_more_bits(layer, config.layers)) ? kQ6_K : kQ4_K;
}

}  // namespace

std::span<const PrecisionInfo> precisions() { return kPrecisions; }

const PrecisionInfo& info(Precision precision) { return kPrecisions[static_cast<std::size_t>(precision)]; }

std::optional<Precision> find_precision(std::string_view name) {
  const auto found = std::ranges::find(kPrecisions, name, &PrecisionInfo::name);
  return found == kPrecisions.end() ? std::nullopt : std::optional(found->precision);
}

ElementType type_for(Precision precision, TensorId id, std::size_t layer, const model::GemmaConfig& config) {
  const std::size_t columns = model::extent(model::info(id).columns, config);
  ElementType type = wanted_type(precision, id, layer, config);
  const auto fits = [&] { return columns % tensor::info(type).block_values == 0; };
  if (!fits() && type == kQ4_K) type = kQ5_0;
  if (!fits() && type == kQ6_K) type = kQ8_0;
  if (!fits()) type = type == kInt4 ? kBF16 : kF16;
  return type;
}

}  // namespace carat::quantize
