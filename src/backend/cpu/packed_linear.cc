#include "backend/cpu/packed_linear.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "base/checked_math.h"

namespace carat::backend {
namespace {

using tensor::kPanelRows;

// Panels per task: about 256 KiB of file at a time keeps reads long and the two buffers in the cache.
std::size_t panels_per_task(std::size_t row_bytes) {
  return std::max<std::size_t>(1, (std::size_t{256} << 10) / (row_bytes * kPanelRows));
}

}  // namespace

PackedLinear::PackedLinear(std::size_t rows, const tensor::PanelLayout& layout, HugePiece panels,
                           std::vector<float> bias)
    : rows_(rows), layout_(layout), panels_(std::move(panels)), bias_(std::move(bias)) {}

Result<std::unique_ptr<PackedLinear>> PackedLinear::pack(const tensor::StoredTensor& weight,
                                                         std::span<const float> bias, HugeArena& arena,
                                                         parallel::ThreadPool& pool) {
  CARAT_CHECK(bias.empty() || bias.size() == weight.rows);
  const auto row_bytes = tensor::row_bytes(weight.type, weight.columns);
  CARAT_CHECK(row_bytes.has_value() && weight.rows > 0 && weight.columns > 0);
  CARAT_CHECK(weight.row_scales.size() == (tensor::info(weight.type).row_scaled ? weight.rows : 0));
  const tensor::PanelLayout layout = tensor::panel_layout(weight.type, weight.columns);
  const std::size_t panels = ceil_div(weight.rows, kPanelRows);
  const auto bytes = checked_mul<std::uint64_t>(panels, layout.bytes);
  if (!bytes)
    return fail(ErrorKind::kInvalidModel, "tensor {}: {} rows are too many", weight.name, weight.rows);
  CARAT_TRY(HugePiece buffer, arena.allocate(*bytes));

  const std::size_t step = panels_per_task(*row_bytes);
  std::mutex mutex;
  std::optional<Error> first_error;
  pool.run(ceil_div(panels, step), [&](std::size_t task, std::size_t) {
    const std::size_t first = task * step;
    const std::size_t last = std::min(first + step, panels);
    const std::size_t row_begin = first * kPanelRows;
    const std::size_t row_end = std::min<std::size_t>(last * kPanelRows, weight.rows);
    std::vector<std::byte> stored((row_end - row_begin) * *row_bytes);
    std::optional<Error> error;
    if (auto read = weight.source->read_at(weight.offset + row_begin * *row_bytes, stored); !read) {
      error = read.error();
    }
    for (std::size_t panel = first; panel < last && !error; ++panel) {
      const std::size_t row = panel * kPanelRows;
      const std::size_t count = std::min(kPanelRows, row_end - row);
      const auto rows = std::span(stored).subspan((row - row_begin) * *row_bytes, count * *row_bytes);
      const auto scales =
          layout.row_scaled ? std::span(weight.row_scales).subspan(row, count) : std::span<const float>();
      if (!tensor::pack_panel(layout, rows, count, scales,
                              buffer.bytes().subspan(panel * layout.bytes, layout.bytes))) {
        error = Error{ErrorKind::kInvalidModel,
                      fmt::format("{}: tensor {}: rows {} to {} hold a value or scale that is not finite",
                                  weight.source->name(), weight.name, row, row + count - 1)};
      }
    }
    if (error) {
      const std::lock_guard lock(mutex);
      if (!first_error) first_error = std::move(error);
    }
  });
  if (first_error) return std::unexpected(*std::move(first_error));
  return std::unique_ptr<PackedLinear>(
      new PackedLinear(weight.rows, layout, std::move(buffer), {bias.begin(), bias.end()}));
}

}  // namespace carat::backend
