#pragma once

// Attention of all rows over all rows of one head, a tile of queries at a time, over tiles of keys with a
// running maximum (arXiv:2205.14135). A lane is a query: keys and values are what all lanes share, so that no
// lane ever meets another, and a query's result depends on nothing but itself and the keys.

#include "kernels/dense_layout.h"
#include "kernels/quantize_inl.h"

namespace carat::kernels {
namespace {

constexpr std::size_t kDenseVectors = kDenseQueries / 16;
constexpr float kLog2E = 1.44269504F;

// e^x and 2^x where 4 digits do: 8-bit and bfloat16 weights keep fewer. The polynomial is the one of least
// relative error, 7.5e-5, on [0, 1].
inline F32x16 exp2_rough(F32x16 x) {
  const F32x16 f = fraction(x);
  F32x16 p = fma(set1(0.0780245F), f, set1(0.22606719F));
  p = fma(p, f, set1(0.69583353F));
  p = fma(p, f, set1(0.99992522F));
  return scale_by_exp2(p, x);
}

// The parts of DenseLayout and of the scratch.
struct DenseView {
  explicit DenseView(const DenseLayout& layout, const std::byte* head)
      : key_words(layout.key_words()),
        value_dims(layout.value_dims()),
        keys(words(head)),
        key_scales(reinterpret_cast<const float*>(head + layout.key_scale_at())),
        key_sums(words(head + layout.key_sum_at())),
        values(words(head + layout.values_at())),
        value_scales(reinterpret_cast<const float*>(head + layout.value_scale_at())),
        value_sums(words(head + layout.value_sum_at())) {}
  static const std::int32_t* words(const std::byte* at) { return reinterpret_cast<const std::int32_t*>(at); }

  std::size_t key_words, value_dims;
  const std::int32_t* keys;
  const float* key_scales;
  const std::int32_t* key_sums;
  const std::int32_t* values;
  const float* value_scales;
  const std::int32_t* value_sums;
};

struct DenseScratch {
  explicit DenseScratch(const DenseLayout& layout, std::byte* at)
      : queries(reinterpret_cast<std::int32_t*>(at)),
        scores(reinterpret_cast<float*>(queries + layout.key_words() * kDenseQueries)),
        weights(reinterpret_cast<std::int32_t*>(scores + kDenseKeys * kDenseQueries)),
        sums(reinterpret_cast<float*>(weights + kDenseKeys / layout.step() * kDenseQueries)) {}

  std::int32_t* queries;
  float* scores;
  std::int32_t* weights;
  float* sums;
};

// The arithmetic of each type: what a word holds, how words are multiplied, and what their sums stand for.
// Scores come in a unit of their query; times `factor` they are powers of two.

struct DenseF32 {
  static constexpr std::size_t kStep = 1;
  static constexpr bool kScaled = false;
  static constexpr std::int32_t kOnes = 0x3F800000;
  using Sum = F32x16;
  using Words = F32x16;

  static Words load_words(const std::int32_t* at) { return load(reinterpret_cast<const float*>(at)); }
  static void store_words(std::int32_t* at, const F32x16* x) { store(reinterpret_cast<float*>(at), x[0]); }
  static Sum start_score(const DenseView&, std::size_t) { return set1(0.0F); }
  static Sum start_weights(std::int32_t) { return set1(0.0F); }
  static Sum start_values(const DenseView&, std::size_t, std::size_t) { return set1(0.0F); }
  static Sum add_products(Sum sum, Words words, const std::int32_t& shared) {
    float value = 0.0F;
    __builtin_memcpy(&value, &shared, sizeof value);
    return fma(words, set1(value), sum);
  }
  static F32x16 sum_to_f32(Sum sum) { return sum; }
  static F32x16 score(const DenseView&, std::size_t, Sum sum) { return sum; }
  static F32x16 weight(F32x16 below_best, F32x16) { return exp(below_best); }
  static F32x16 values(const DenseView&, std::size_t, std::size_t, Sum sum) { return sum; }
};

struct DenseInt8 {
  static constexpr std::size_t kStep = 4;
  static constexpr bool kScaled = true;
  static constexpr std::int32_t kOnes = 0x01010101;
  using Sum = I32x16;
  using Words = Bytes;

  static Sum start_score(const DenseView& view, std::size_t key) {
    return dot_start<true>(view.key_sums[key], 7);
  }
  static Sum start_weights(std::int32_t count) { return unsigned_start(count); }
  static Sum start_values(const DenseView& view, std::size_t tile, std::size_t d) {
    return unsigned_start(view.value_sums[tile * view.value_dims + d]);
  }
  static Words load_words(const std::int32_t* at) { return load_bytes(at); }
  // x in [0, 255]
  static void store_words(std::int32_t* at, const F32x16* x) {
    store_bytes(at, pack_bytes(to_nearest(x[0]), to_nearest(x[1]), to_nearest(x[2]), to_nearest(x[3])));
  }
  static Sum add_products(Sum sum, Words words, const std::int32_t& shared) {
    return dot<true>(sum, words, shared);
  }
  static F32x16 sum_to_f32(Sum sum) { return to_f32(sum); }
  static F32x16 score(const DenseView& view, std::size_t key, Sum sum) {
    return mul(to_f32(sum), set1(view.key_scales[key]));
  }
  static F32x16 values(const DenseView& view, std::size_t tile, std::size_t d, Sum sum) {
    return mul(to_f32(sum), set1(view.value_scales[tile * view.value_dims + d]));
  }
  // In [0, 255]: 255 for the best key of the tile.
  static F32x16 weight(F32x16 below_best, F32x16 factor) {
    constexpr float kLog2Of255 = 7.9943534F;
    return exp2_rough(fma(below_best, factor, set1(kLog2Of255)));
  }
};

// What a tile's queries have seen so far, lane by lane.
struct DenseState {
  F32x16 unit[kDenseVectors];     // of the scores
  F32x16 best[kDenseVectors];     // score
  F32x16 maximum[kDenseVectors];  // best of the tiles before, in unit 1
  F32x16 total[kDenseVectors];    // of the weights, relative to `maximum`
};

// A maximum of 0 has no inverse; what is smaller than this becomes 0.
constexpr float kLeastMaximum = 1e-30F;

// Queries become lanes, zeros where the tile has fewer. In int8 their unit is a scale, and 128 is added to
// their codes.
template <class A>
inline void pack_queries(const DenseJob& job, const DenseScratch& scratch, DenseState& state) {
  const std::size_t head_dim = job.layout->head_dim;
  float* columns = scratch.sums;  // [head_dim][kDenseQueries]
  for (std::size_t q = 0; q < kDenseQueries; ++q) {
    const float* query = q < job.query_count ? job.queries + q * job.query_stride : nullptr;
    for (std::size_t d = 0; d < head_dim; ++d)
      columns[d * kDenseQueries + q] = query != nullptr ? query[d] : 0.0F;
  }
  for (std::size_t v = 0; v < kDenseVectors; ++v) {
    const auto column = [&](std::size_t d) { return load(columns + d * kDenseQueries + v * 16); };
    F32x16 inverse = set1(1.0F);
    state.unit[v] = set1(1.0F);
    if constexpr (A::kScaled) {
      F32x16 largest = set1(kLeastMaximum);
      for (std::size_t d = 0; d < head_dim; ++d) largest = max(largest, abs(column(d)));
      inverse = div(set1(127.0F), largest);
      state.unit[v] = div(largest, set1(127.0F));
    }
    for (std::size_t word = 0; word < job.layout->key_words(); ++word) {
      F32x16 x[A::kStep];
      for (std::size_t i = 0; i < A::kStep; ++i) {
        const std::size_t d = word * A::kStep + i;
        x[i] = d < head_dim ? column(d) : set1(0.0F);
        if constexpr (A::kScaled) x[i] = fma(x[i], inverse, set1(128.0F));
      }
      A::store_words(scratch.queries + word * kDenseQueries + v * 16, x);
    }
    state.best[v] = set1(kNoKey);
    state.maximum[v] = set1(kNoKey);
    state.total[v] = set1(0.0F);
  }
  for (std::size_t i = 0; i < job.layout->value_dims() * kDenseQueries; i += 16)
    store(columns + i, set1(0.0F));
}

// The scores of keys [first, first + kDenseRows), of which `valid` exist, for Vectors x 16 queries from
// vector v on.
template <class A, std::size_t Vectors>
inline void score_keys(const DenseView& view, const DenseScratch& scratch, std::size_t first,
                       std::size_t valid, float* scores, std::size_t v, DenseState& state) {
  typename A::Sum sums[kDenseRows][Vectors];
  for (std::size_t k = 0; k < kDenseRows; ++k) {
    for (std::size_t i = 0; i < Vectors; ++i) sums[k][i] = A::start_score(view, first + k);
  }
  const std::int32_t* queries = scratch.queries + v * 16;
  const std::int32_t* keys = view.keys + first * view.key_words;
  for (std::size_t word = 0; word < view.key_words; ++word) {
    typename A::Words lanes[Vectors];
    for (std::size_t i = 0; i < Vectors; ++i)
      lanes[i] = A::load_words(queries + word * kDenseQueries + i * 16);
    CARAT_UNROLL
    for (std::size_t k = 0; k < kDenseRows; ++k) {
      CARAT_UNROLL
      for (std::size_t i = 0; i < Vectors; ++i)
        sums[k][i] = A::add_products(sums[k][i], lanes[i], keys[k * view.key_words + word]);
    }
  }
  for (std::size_t k = 0; k < kDenseRows && k < valid; ++k) {
    for (std::size_t i = 0; i < Vectors; ++i) {
      const F32x16 score = A::score(view, first + k, sums[k][i]);
      store(scores + k * kDenseQueries + i * 16, score);
      state.best[v + i] = max(state.best[v + i], score);
    }
  }
}

// The weights of `count` keys, relative to the best of them, and their total.
template <class A>
inline F32x16 weigh_keys(const DenseScratch& scratch, std::size_t count, std::size_t v,
                         const DenseState& state) {
  const F32x16 factor = mul(state.unit[v], set1(kLog2E));
  const std::size_t steps = (count + A::kStep - 1) / A::kStep;
  typename A::Sum total = A::start_weights(static_cast<std::int32_t>(steps * A::kStep));
  for (std::size_t step = 0; step < steps; ++step) {
    F32x16 weights[A::kStep];
    CARAT_UNROLL
    for (std::size_t i = 0; i < A::kStep; ++i) {
      const std::size_t key = step * A::kStep + i;
      const F32x16 score = load(scratch.scores + key * kDenseQueries + v * 16);
      weights[i] = key < count ? A::weight(sub(score, state.best[v]), factor) : set1(0.0F);
    }
    std::int32_t* words = scratch.weights + step * kDenseQueries + v * 16;
    A::store_words(words, weights);
    total = A::add_products(total, A::load_words(words), A::kOnes);
  }
  return A::sum_to_f32(total);
}

// Adds the weighted values of one tile of keys to the sums of dimensions [d, d + kDenseRows): sums = sums *
// shrink + weighted * grow.
template <class A, std::size_t Vectors>
inline void add_values(const DenseView& view, const DenseScratch& scratch, std::size_t tile,
                       std::size_t steps, std::size_t v, std::size_t d, const F32x16* shrink,
                       const F32x16* grow) {
  typename A::Sum sums[kDenseRows][Vectors];
  for (std::size_t k = 0; k < kDenseRows; ++k) {
    for (std::size_t i = 0; i < Vectors; ++i) sums[k][i] = A::start_values(view, tile, d + k);
  }
  const std::int32_t* weights = scratch.weights + v * 16;
  const std::int32_t* values = view.values + tile * (kDenseKeys / A::kStep) * view.value_dims + d;
  for (std::size_t step = 0; step < steps; ++step) {
    typename A::Words lanes[Vectors];
    for (std::size_t i = 0; i < Vectors; ++i)
      lanes[i] = A::load_words(weights + step * kDenseQueries + i * 16);
    CARAT_UNROLL
    for (std::size_t k = 0; k < kDenseRows; ++k) {
      CARAT_UNROLL
      for (std::size_t i = 0; i < Vectors; ++i) sums[k][i] = A::add_products(sums[k][i], lanes[i], values[k]);
    }
    values += view.value_dims;
  }
  for (std::size_t k = 0; k < kDenseRows; ++k) {
    for (std::size_t i = 0; i < Vectors; ++i) {
      float* sum = scratch.sums + (d + k) * kDenseQueries + (v + i) * 16;
      const F32x16 weighted = A::values(view, tile, d + k, sums[k][i]);
      store(sum, fma(weighted, grow[v + i], mul(load(sum), shrink[v + i])));
    }
  }
}

template <class A>
inline void attend_tile(const DenseView& view, const DenseScratch& scratch, const DenseLayout& layout,
                        std::size_t tile, DenseState& state) {
  const std::size_t first = tile * kDenseKeys;
  const std::size_t count = layout.tokens - first < kDenseKeys ? layout.tokens - first : kDenseKeys;
  F32x16 shrink[kDenseVectors];
  F32x16 grow[kDenseVectors];
  for (std::size_t v = 0; v < kDenseVectors; ++v) state.best[v] = set1(kNoKey);
  for (std::size_t key = 0; key < count; key += kDenseRows) {
    for (std::size_t v = 0; v < kDenseVectors; v += kSharedVectors) {
      score_keys<A, kSharedVectors>(view, scratch, first + key, count - key,
                                    scratch.scores + key * kDenseQueries + v * 16, v, state);
    }
  }
  for (std::size_t v = 0; v < kDenseVectors; ++v) {
    const F32x16 total = weigh_keys<A>(scratch, count, v, state);
    const F32x16 best = mul(state.best[v], state.unit[v]);
    const F32x16 maximum = max(state.maximum[v], best);
    shrink[v] = exp(sub(state.maximum[v], maximum));
    grow[v] = exp(sub(best, maximum));
    state.total[v] = fma(total, grow[v], mul(state.total[v], shrink[v]));
    state.maximum[v] = maximum;
  }
  const std::size_t steps = (count + A::kStep - 1) / A::kStep;
  for (std::size_t d = 0; d < layout.head_dim; d += kDenseRows) {
    for (std::size_t v = 0; v < kDenseVectors; v += kSharedVectors)
      add_values<A, kSharedVectors>(view, scratch, tile, steps, v, d, shrink, grow);
  }
}

template <class A>
void attend_dense(const DenseJob& job) {
  const DenseLayout& layout = *job.layout;
  const DenseView view(layout, job.head);
  const DenseScratch scratch(layout, job.scratch);
  DenseState state;
  pack_queries<A>(job, scratch, state);
  for (std::size_t tile = 0; tile < layout.tiles(); ++tile)
    attend_tile<A>(view, scratch, layout, tile, state);
  for (std::size_t d = 0; d < layout.head_dim; ++d) {
    for (std::size_t v = 0; v < kDenseVectors; ++v) {
      float* sum = scratch.sums + d * kDenseQueries + v * 16;
      store(sum, div(load(sum), state.total[v]));
    }
  }
  for (std::size_t q = 0; q < job.query_count; ++q) {
    for (std::size_t d = 0; d < layout.head_dim; ++d)
      job.out[q * job.out_stride + d] = scratch.sums[d * kDenseQueries + q];
  }
}

}  // namespace
}  // namespace carat::kernels
