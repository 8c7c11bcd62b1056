#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "base/huge_arena.h"
#include "parallel/thread_pool.h"
#include "tensor/panel.h"

namespace carat::backend {

// Weights in panels of 16 rows, in huge pages, one matrix beside the other.
class PackedLinear final : public Linear {
 public:
  // Reads and packs in parallel; the file's bytes pass through one small buffer a thread.
  static Result<std::unique_ptr<PackedLinear>> pack(const tensor::StoredTensor& weight,
                                                    std::span<const float> bias, HugeArena& arena,
                                                    parallel::ThreadPool& pool);

  std::size_t rows() const override { return rows_; }
  std::size_t columns() const override { return layout_.columns; }
  std::size_t bytes() const override { return panels_.size() + bias_.size() * sizeof(float); }

  const tensor::PanelLayout& layout() const { return layout_; }
  std::size_t panel_count() const { return panels_.size() / layout_.bytes; }
  std::span<const std::byte> panel(std::size_t index) const {
    return panels_.bytes().subspan(index * layout_.bytes, layout_.bytes);
  }
  std::span<const float> bias() const { return bias_; }

 private:
  PackedLinear(std::size_t rows, const tensor::PanelLayout& layout, HugePiece panels,
               std::vector<float> bias);

  std::size_t rows_;
  tensor::PanelLayout layout_;
  HugePiece panels_;
  std::vector<float> bias_;  // [rows] or empty
};

}  // namespace carat::backend
