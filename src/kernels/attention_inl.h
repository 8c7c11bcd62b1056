#pragma once

// Attention over paged keys and values, one block of 64 positions at a time with a running maximum (online
// softmax, arXiv:1805.02867). A query's result depends on its own visible range and on absolute positions
// only: blocks are taken in order, positions it cannot see take no part.

#include "kernels/elementwise_inl.h"

namespace carat::kernels {
namespace {

using tensor::kKvBlockTokens;
using tensor::kKvPanelKeys;
constexpr std::size_t kPanels = kKvBlockTokens / kKvPanelKeys;
constexpr float kNoKey = -__builtin_inff();

template <tensor::KvType Type>
struct KvElements {
  static constexpr std::size_t kBytes = Type == tensor::KvType::kF32 ? 4 : 2;
  static F32x16 load16(const std::byte* at) {
    if constexpr (Type == tensor::KvType::kF32) return load(reinterpret_cast<const float*>(at));
    if constexpr (Type == tensor::KvType::kF16) return load_f16(at);
    return load_bf16(at);
  }
  static F32x16 load_some(const std::byte* at, std::size_t n) {
    if (n == 16) return load16(at);
    std::byte lanes[64] = {};
    __builtin_memcpy(lanes, at, n * kBytes);
    return load16(lanes);
  }
  static void store16(std::byte* at, F32x16 v) {
    if constexpr (Type == tensor::KvType::kF32) store(reinterpret_cast<float*>(at), v);
    // In this order NaN stays NaN.
    if constexpr (Type == tensor::KvType::kF16) store_f16(at, max(set1(-65504.0F), min(set1(65504.0F), v)));
    if constexpr (Type == tensor::KvType::kBF16) store_bf16(at, v);
  }
};

template <class E>
void store_kv_as(const float* keys, const float* values, const tensor::KvShape& shape, std::size_t slot,
                 std::byte* block) {
  const std::size_t head_dim = shape.head_dim;
  const std::size_t head_bytes = 2 * kKvBlockTokens * head_dim * E::kBytes;
  for (std::size_t head = 0; head < shape.kv_heads; ++head) {
    std::byte* panel = block + head * head_bytes + slot / kKvPanelKeys * head_dim * kKvPanelKeys * E::kBytes;
    std::byte* row = block + head * head_bytes + (kKvBlockTokens + slot) * head_dim * E::kBytes;
    for_vectors(head_dim, [&](std::size_t d, std::size_t n) {
      std::byte lanes[64];
      E::store16(lanes, load_some(values + head * head_dim + d, n));
      __builtin_memcpy(row + d * E::kBytes, lanes, n * E::kBytes);
      E::store16(lanes, load_some(keys + head * head_dim + d, n));
      for (std::size_t i = 0; i < n; ++i) {
        __builtin_memcpy(panel + ((d + i) * kKvPanelKeys + slot % kKvPanelKeys) * E::kBytes,
                         lanes + i * E::kBytes, E::kBytes);
      }
    });
  }
}

void store_kv(const float* keys, const float* values, const tensor::KvShape& shape, std::size_t slot,
              std::byte* block) {
  switch (shape.type) {
    case tensor::KvType::kF32:
      return store_kv_as<KvElements<tensor::KvType::kF32>>(keys, values, shape, slot, block);
    case tensor::KvType::kF16:
      return store_kv_as<KvElements<tensor::KvType::kF16>>(keys, values, shape, slot, block);
    case tensor::KvType::kBF16:
      return store_kv_as<KvElements<tensor::KvType::kBF16>>(keys, values, shape, slot, block);
  }
}

// The part of a visible range that lies in the block starting at `start`: slots [begin, end), empty if begin
// == end.
struct Slots {
  std::size_t begin, end;
};
inline Slots slots_in_block(tensor::KeyRange visible, std::size_t start) {
  const std::size_t begin = visible.begin > start ? visible.begin - start : 0;
  const std::size_t end = visible.end > start ? visible.end - start : 0;
  const std::size_t last = end < kKvBlockTokens ? end : kKvBlockTokens;
  return begin < last ? Slots{begin, last} : Slots{0, 0};
}

static_assert(kKvBlockTokens == 64, "a set of slots is one word");
inline std::uint64_t slot_bits(Slots slots) {
  const std::uint64_t below_end = slots.end < 64 ? (std::uint64_t{1} << slots.end) - 1 : ~std::uint64_t{0};
  return below_end & ~((std::uint64_t{1} << slots.begin) - 1);
}
// Removes the first run of set bits.
inline Slots take_run(std::uint64_t& bits) {
  const std::uint64_t carried = bits + (bits & -bits);
  const Slots run = {static_cast<std::size_t>(__builtin_ctzll(bits)),
                     carried != 0 ? static_cast<std::size_t>(__builtin_ctzll(carried)) : kKvBlockTokens};
  bits &= carried;
  return run;
}

// scores[q][panel] = q . k for 16 keys, dimensions in order.
template <class E, int Queries>
inline void score_panel(const float* const* queries, const std::byte* keys, std::size_t head_dim,
                        float (*scores)[kKvBlockTokens], std::size_t first_slot) {
  F32x16 sums[Queries];
  for (int q = 0; q < Queries; ++q) sums[q] = set1(0.0F);
  for (std::size_t d = 0; d < head_dim; ++d) {
    const F32x16 key = E::load16(keys + d * kKvPanelKeys * E::kBytes);
    CARAT_UNROLL
    for (int q = 0; q < Queries; ++q) sums[q] = fma(set1(queries[q][d]), key, sums[q]);
  }
  for (int q = 0; q < Queries; ++q) store(scores[q] + first_slot, sums[q]);
}

// The lanes of panel `panel` that the slots take, each in [0, 16].
struct Lanes {
  int begin, end;
};
inline Lanes lanes_in_panel(Slots slots, std::size_t panel) {
  const auto lane = [&](std::size_t slot) {
    const std::size_t start = panel * kKvPanelKeys;
    const std::size_t inside = slot > start ? slot - start : 0;
    return static_cast<int>(inside < kKvPanelKeys ? inside : kKvPanelKeys);
  };
  return {lane(slots.begin), lane(slots.end)};
}

// Turns the scores of one query's visible slots into exp(score - maximum), zeros elsewhere, and moves its
// maximum, weight and values to the new maximum.
inline void softmax_step(float* scores, Slots slots, std::size_t head_dim, AttentionPartial& partial) {
  F32x16 panels[kPanels];
  F32x16 best = set1(kNoKey);
  for (std::size_t p = 0; p < kPanels; ++p) {
    const Lanes lanes = lanes_in_panel(slots, p);
    panels[p] = select_lanes(lanes.begin, lanes.end, load(scores + p * kKvPanelKeys), set1(kNoKey));
    best = max(best, panels[p]);
  }
  const float block_maximum = reduce_max(best);
  const float maximum = partial.maximum > block_maximum ? partial.maximum : block_maximum;
  F32x16 sum = set1(0.0F);
  for (std::size_t p = 0; p < kPanels; ++p) {
    const Lanes lanes = lanes_in_panel(slots, p);
    const F32x16 weight =
        select_lanes(lanes.begin, lanes.end, exp(sub(panels[p], set1(maximum))), set1(0.0F));
    store(scores + p * kKvPanelKeys, weight);
    sum = add(sum, weight);
  }
  const float block_weight = reduce_add(sum);
  if (partial.weight == 0.0F) {
    partial.weight = block_weight;
  } else {
    const float shrink = exp(partial.maximum - maximum);
    partial.weight = partial.weight * shrink + block_weight;
    const F32x16 factor = set1(shrink);
    for_vectors(head_dim, [&](std::size_t d, std::size_t n) {
      store_some(partial.values + d, mul(load_some(partial.values + d, n), factor), n);
    });
  }
  partial.maximum = maximum;
}

// values[q][d..] += sum over slots of weights[q][slot] * value[slot][d..], Chunks vectors of 16 dimensions.
template <class E, int Queries, int Chunks>
inline void weigh_values(const float (*weights)[kKvBlockTokens], const std::byte* values,
                         std::size_t head_dim, Slots slots, AttentionPartial* partials, std::size_t d,
                         std::size_t lanes) {
  F32x16 sums[Queries][Chunks];
  for (int q = 0; q < Queries; ++q) {
    for (std::size_t c = 0; c < Chunks; ++c) sums[q][c] = load_some(partials[q].values + d + 16 * c, lanes);
  }
  for (std::size_t slot = slots.begin; slot < slots.end; ++slot) {
    const std::byte* row = values + (slot * head_dim + d) * E::kBytes;
    F32x16 value[Chunks];
    for (std::size_t c = 0; c < Chunks; ++c) value[c] = E::load_some(row + 16 * c * E::kBytes, lanes);
    CARAT_UNROLL
    for (int q = 0; q < Queries; ++q) {
      const F32x16 weight = set1(weights[q][slot]);
      CARAT_UNROLL
      for (int c = 0; c < Chunks; ++c) sums[q][c] = fma(weight, value[c], sums[q][c]);
    }
  }
  for (int q = 0; q < Queries; ++q) {
    for (std::size_t c = 0; c < Chunks; ++c) store_some(partials[q].values + d + 16 * c, sums[q][c], lanes);
  }
}

template <class E, int Queries>
inline void weigh_all_dimensions(const float (*weights)[kKvBlockTokens], const std::byte* values,
                                 std::size_t head_dim, Slots slots, AttentionPartial* partials) {
  std::size_t d = 0;
  for (; d + 64 <= head_dim; d += 64) {
    weigh_values<E, Queries, 4>(weights, values, head_dim, slots, partials, d, 16);
  }
  for (; d < head_dim; d += 16) {
    const std::size_t lanes = head_dim - d < 16 ? head_dim - d : 16;
    weigh_values<E, Queries, 1>(weights, values, head_dim, slots, partials, d, lanes);
  }
}

template <class E, int Queries>
inline void attend_tile(const AttentionJob& job, std::size_t first_query, AttentionPartial* partials) {
  const tensor::KvLayer& cache = *job.cache;
  const std::size_t head_dim = cache.shape.head_dim;
  const std::size_t key_bytes = kKvBlockTokens * head_dim * E::kBytes;
  for (int q = 0; q < Queries; ++q) {
    partials[q].maximum = kNoKey;
    partials[q].weight = 0.0F;
    for_vectors(head_dim,
                [&](std::size_t d, std::size_t n) { store_some(partials[q].values + d, set1(0.0F), n); });
  }
  for (std::size_t index = job.first_block; index < job.last_block; ++index) {
    const std::size_t start = index * kKvBlockTokens;
    Slots slots[Queries];
    std::uint64_t seen = 0;  // slots that any query sees
    for (int q = 0; q < Queries; ++q) {
      slots[q] = slots_in_block(job.visible[first_query + static_cast<std::size_t>(q)], start);
      seen |= slot_bits(slots[q]);
    }
    if (seen == 0) continue;
    const std::size_t first_slot = static_cast<std::size_t>(__builtin_ctzll(seen));
    const std::size_t last_slot = kKvBlockTokens - static_cast<std::size_t>(__builtin_clzll(seen));
    const std::byte* keys = cache.blocks.data()[index] + cache.layer_offset + job.kv_head * 2 * key_bytes;
    alignas(64) float scores[Queries][kKvBlockTokens] = {};
    for (std::size_t p = first_slot / kKvPanelKeys; p * kKvPanelKeys < last_slot; ++p) {
      score_panel<E, Queries>(job.queries + first_query, keys + p * head_dim * kKvPanelKeys * E::kBytes,
                              head_dim, scores, p * kKvPanelKeys);
    }
    for (int q = 0; q < Queries; ++q) {
      if (slots[q].begin != slots[q].end) {
        softmax_step(scores[q], slots[q], head_dim, partials[q]);
      } else {
        for (float& score : scores[q]) score = 0.0F;
      }
    }
    constexpr int kHalf = Queries > 4 ? 4 : Queries;
    // Run by run: slots that nobody sees may hold anything, and a weight of 0 times NaN is NaN.
    while (seen != 0) {
      const Slots run = take_run(seen);
      for (int q = 0; q < Queries; q += kHalf) {
        weigh_all_dimensions<E, kHalf>(scores + q, keys + key_bytes, head_dim, run, partials + q);
      }
    }
  }
}

template <class E>
void attend_as(const AttentionJob& job, AttentionPartial* partials) {
  std::size_t q = 0;
  for (; q + 8 <= job.query_count; q += 8) attend_tile<E, 8>(job, q, partials + q);
  for (; q + 4 <= job.query_count; q += 4) attend_tile<E, 4>(job, q, partials + q);
  for (; q + 2 <= job.query_count; q += 2) attend_tile<E, 2>(job, q, partials + q);
  for (; q < job.query_count; ++q) attend_tile<E, 1>(job, q, partials + q);
}

void attend(const AttentionJob& job, AttentionPartial* partials) {
  switch (job.cache->shape.type) {
    case tensor::KvType::kF32: return attend_as<KvElements<tensor::KvType::kF32>>(job, partials);
    case tensor::KvType::kF16: return attend_as<KvElements<tensor::KvType::kF16>>(job, partials);
    case tensor::KvType::kBF16: return attend_as<KvElements<tensor::KvType::kBF16>>(job, partials);
  }
}

void merge(AttentionPartial& into, const AttentionPartial& later, std::size_t head_dim) {
  if (later.weight == 0.0F) return;
  if (into.weight == 0.0F) {
    into.maximum = later.maximum;
    into.weight = later.weight;
    __builtin_memcpy(into.values, later.values, head_dim * sizeof(float));
    return;
  }
  const float maximum = into.maximum > later.maximum ? into.maximum : later.maximum;
  const float shrink = exp(into.maximum - maximum);
  const float shrink_later = exp(later.maximum - maximum);
  for_vectors(head_dim, [&](std::size_t d, std::size_t n) {
    const F32x16 kept = mul(load_some(into.values + d, n), set1(shrink));
    store_some(into.values + d, fma(load_some(later.values + d, n), set1(shrink_later), kept), n);
  });
  into.weight = into.weight * shrink + later.weight * shrink_later;
  into.maximum = maximum;
}

void finish(const AttentionPartial& partial, std::size_t head_dim, float* out) {
  const F32x16 weight = set1(partial.weight);
  for_vectors(head_dim, [&](std::size_t d, std::size_t n) {
    store_some(out + d, div(load_some(partial.values + d, n), weight), n);
  });
}

}  // namespace
}  // namespace carat::kernels
