#include "backend/cpu/cpu_attention.h"

#include <algorithm>
#include <array>

#include "base/checked_math.h"

namespace carat::backend {

using kernels::AttentionPartial;
using kernels::kAttentionTile;

namespace {

constexpr std::size_t kSegmentKeys = kernels::kSegmentBlocks * tensor::kKvBlockTokens;

}  // namespace

struct CpuAttention::Call {
  ConstMatrixF32 q;
  const KvLayer& cache;
  std::span<const KeyRange> visible;
  MatrixF32 out;
  std::size_t group;           // query heads per KV head
  std::size_t tiles_per_head;  // a KV head's queries, token by token, in tiles

  std::size_t head_dim() const { return cache.shape.head_dim; }
  std::size_t tile_count() const { return cache.shape.kv_heads * tiles_per_head; }
};

// Queries [first, first + count) of a KV head: query i belongs to token i / group.
struct CpuAttention::Tile {
  std::size_t kv_head;
  std::size_t first;
  std::size_t count;
  std::size_t first_segment;  // segments that any of its queries sees
  std::size_t last_segment;
};

CpuAttention::CpuAttention(const kernels::Kernels& kernels, parallel::ThreadPool& pool)
    : kernels_(kernels), pool_(pool), thread_values_(pool.size()) {}

void CpuAttention::run(ConstMatrixF32 q, std::size_t heads, const KvLayer& cache,
                       std::span<const KeyRange> visible, MatrixF32 out) {
  if (q.rows() == 0) return;
  const std::size_t group = heads / cache.shape.kv_heads;
  const Call call{q, cache, visible, out, group, ceil_div(q.rows() * group, kAttentionTile)};
  if (call.tile_count() >= 2 * pool_.size() || pool_.size() == 1) {
    run_by_tile(call);
  } else {
    run_by_segment(call);
  }
}

CpuAttention::Tile CpuAttention::tile_at(const Call& call, std::size_t index) const {
  Tile tile = {};
  tile.kv_head = index / call.tiles_per_head;
  tile.first = index % call.tiles_per_head * kAttentionTile;
  tile.count = std::min(kAttentionTile, call.q.rows() * call.group - tile.first);
  std::size_t begin = call.visible[tile.first / call.group].begin;
  std::size_t end = 0;
  for (std::size_t i = tile.first; i < tile.first + tile.count; ++i) {
    const KeyRange& range = call.visible[i / call.group];
    begin = std::min<std::size_t>(begin, range.begin);
    end = std::max<std::size_t>(end, range.end);
  }
  tile.first_segment = begin / kSegmentKeys;
  tile.last_segment = ceil_div(end, kSegmentKeys);
  return tile;
}

// values: room for the tile's queries, [kAttentionTile][head_dim].
void CpuAttention::attend_segment(const Call& call, const Tile& tile, std::size_t segment, float* values,
                                  AttentionPartial* partials) const {
  kernels::AttentionJob job = {};
  job.query_count = tile.count;
  job.cache = &call.cache;
  job.kv_head = tile.kv_head;
  job.first_block = segment * kernels::kSegmentBlocks;
  job.last_block = std::min(job.first_block + kernels::kSegmentBlocks, call.cache.blocks.size());
  for (std::size_t i = 0; i < tile.count; ++i) {
    const std::size_t token = (tile.first + i) / call.group;
    const std::size_t head = tile.kv_head * call.group + (tile.first + i) % call.group;
    job.queries[i] = call.q.row(token).data() + head * call.head_dim();
    job.visible[i] = call.visible[token];
    partials[i].values = values + i * call.head_dim();
  }
  kernels_.attend(job, partials);
}

void CpuAttention::finish_tile(const Call& call, const Tile& tile, const AttentionPartial* partials) const {
  for (std::size_t i = 0; i < tile.count; ++i) {
    const std::size_t token = (tile.first + i) / call.group;
    const std::size_t head = tile.kv_head * call.group + (tile.first + i) % call.group;
    kernels_.finish(partials[i], call.head_dim(), call.out.row(token).data() + head * call.head_dim());
  }
}

void CpuAttention::run_by_tile(const Call& call) {
  const std::size_t tile_values = kAttentionTile * call.head_dim();
  pool_.run(call.tile_count(), [&](std::size_t index, std::size_t thread) {
    const Tile tile = tile_at(call, index);
    std::vector<float>& values = thread_values_[thread];
    values.resize(2 * tile_values);
    std::array<AttentionPartial, kAttentionTile> merged = {};
    std::array<AttentionPartial, kAttentionTile> next = {};
    attend_segment(call, tile, tile.first_segment, values.data(), merged.data());
    for (std::size_t segment = tile.first_segment + 1; segment < tile.last_segment; ++segment) {
      attend_segment(call, tile, segment, values.data() + tile_values, next.data());
      for (std::size_t i = 0; i < tile.count; ++i) kernels_.merge(merged[i], next[i], call.head_dim());
    }
    finish_tile(call, tile, merged.data());
  });
}

// Few tiles and possibly many keys, as in decoding: the segments are the tasks.
void CpuAttention::run_by_segment(const Call& call) {
  const std::size_t tile_values = kAttentionTile * call.head_dim();
  std::vector<Tile> tiles;
  std::vector<std::pair<std::size_t, std::size_t>> tasks;  // tile, segment
  for (std::size_t index = 0; index < call.tile_count(); ++index) {
    tiles.push_back(tile_at(call, index));
    for (std::size_t segment = tiles.back().first_segment; segment < tiles.back().last_segment; ++segment) {
      tasks.emplace_back(index, segment);
    }
  }
  segment_values_.resize(std::max(segment_values_.size(), tasks.size() * tile_values));
  segment_partials_.resize(std::max(segment_partials_.size(), tasks.size() * kAttentionTile));
  pool_.run(tasks.size(), [&](std::size_t task, std::size_t) {
    attend_segment(call, tiles[tasks[task].first], tasks[task].second,
                   segment_values_.data() + task * tile_values,
                   segment_partials_.data() + task * kAttentionTile);
  });
  std::size_t task = 0;
  for (const Tile& tile : tiles) {
    AttentionPartial* merged = segment_partials_.data() + task * kAttentionTile;
    for (std::size_t segment = tile.first_segment; segment < tile.last_segment; ++segment, ++task) {
      if (segment == tile.first_segment) continue;
      const AttentionPartial* next = segment_partials_.data() + task * kAttentionTile;
      for (std::size_t i = 0; i < tile.count; ++i) kernels_.merge(merged[i], next[i], call.head_dim());
    }
    finish_tile(call, tile, merged);
  }
}

}  // namespace carat::backend
