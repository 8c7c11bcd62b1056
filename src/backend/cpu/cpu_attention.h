#pragma once

#include <span>
#include <vector>

#include "backend/backend.h"
#include "kernels/kernels.h"
#include "parallel/thread_pool.h"

namespace carat::backend {

// Splits attention into tiles of queries that share a KV head, and each tile into segments of keys. Segments
// are cut at absolute positions and merged in order, so that the bits do not depend on who computed which.
class CpuAttention {
 public:
  CpuAttention(const kernels::Kernels& kernels, parallel::ThreadPool& pool);

  void run(ConstMatrixF32 q, std::size_t heads, const KvLayer& cache, std::span<const KeyRange> visible,
           MatrixF32 out);

 private:
  struct Call;
  struct Tile;

  Tile tile_at(const Call& call, std::size_t index) const;
  void attend_segment(const Call& call, const Tile& tile, std::size_t segment, float* values,
                      kernels::AttentionPartial* partials) const;
  void finish_tile(const Call& call, const Tile& tile, const kernels::AttentionPartial* partials) const;
  void run_by_tile(const Call& call);
  void run_by_segment(const Call& call);

  const kernels::Kernels& kernels_;
  parallel::ThreadPool& pool_;
  std::vector<std::vector<float>> thread_values_;            // per thread: two sets of a tile's values
  std::vector<float> segment_values_;                        // by tile and segment
  std::vector<kernels::AttentionPartial> segment_partials_;  // by tile and segment
};

}  // namespace carat::backend
