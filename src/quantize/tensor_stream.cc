#include "quantize/tensor_stream.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <optional>
#include <vector>

#include "base/checked_math.h"
#include "tensor/dequantize.h"

namespace carat::quantize {
namespace {

using tensor::StoredTensor;

constexpr std::size_t kSlabBytes = std::size_t{32} << 20;   // of output held before it is written
constexpr std::size_t kTaskValues = std::size_t{64} << 10;  // decoded at once by a thread

// Keeps the first of the errors that threads meet.
class FirstError {
 public:
  void set(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  Result<> result() {
    if (error_) return std::unexpected(*std::move(error_));
    return {};
  }

 private:
  std::mutex mutex_;
  std::optional<Error> error_;
};

struct RowRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

class TensorStream {
 public:
  TensorStream(const OutputTensor& tensor, Importance importance, const StreamOptions& options,
               parallel::ThreadPool& pool, const std::stop_token& stop)
      : tensor_(tensor),
        source_(tensor.source),
        importance_(importance),
        options_(options),
        pool_(pool),
        stop_(stop),
        stored_row_(static_cast<std::size_t>(*tensor::row_bytes(source_.type, source_.columns))),
        encoded_row_(static_cast<std::size_t>(*tensor::row_bytes(tensor.type, source_.columns))),
        rows_per_task_(std::clamp<std::uint64_t>(kTaskValues / source_.columns, 1, source_.rows)) {}

  Result<double> run(const Sink& sink) {
    scales_.assign(static_cast<std::size_t>(tensor_.scale_count()), 1.0F);
    if (tensor_.type == tensor::ElementType::kSFP8) CARAT_TRY_VOID(find_tensor_scale());
    const std::uint64_t tasks_per_slab =
        std::max<std::uint64_t>(1, kSlabBytes / (encoded_row_ * rows_per_task_));
    std::vector<std::byte> slab;
    const std::uint64_t step = tasks_per_slab * rows_per_task_;
    for (std::uint64_t row = 0; row < source_.rows; row += step) {
      const RowRange rows = {row, std::min(step, source_.rows - row)};
      slab.resize(static_cast<std::size_t>(rows.count) * encoded_row_);
      CARAT_TRY_VOID(encode_slab(rows, slab));
      CARAT_TRY_VOID(sink(slab));
      if (options_.progress) options_.progress(rows.count * stored_row_);
    }
    if (!scales_.empty()) CARAT_TRY_VOID(sink(std::as_bytes(std::span(scales_))));
    return squares_ > 0.0 ? std::sqrt(errors_ / squares_) : 0.0;
  }

 private:
  // Calls work(rows, values) with decoded rows, on all threads.
  template <class Work>
  Result<> for_decoded(RowRange rows, Work work) {
    FirstError error;
    pool_.run(static_cast<std::size_t>(ceil_div(rows.count, rows_per_task_)),
              [&](std::size_t task, std::size_t) {
                if (stop_.stop_requested()) return;
                const std::uint64_t skipped = task * rows_per_task_;
                const RowRange part = {rows.first + skipped, std::min(rows_per_task_, rows.count - skipped)};
                auto values = decode(part);
                auto status = values ? work(part, *values) : Result<>(std::unexpected(values.error()));
                if (!status) error.set(std::move(status).error());
              });
    if (stop_.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    return error.result();
  }

  Result<std::vector<float>> decode(RowRange rows) const {
    std::vector<std::byte> stored(static_cast<std::size_t>(rows.count) * stored_row_);
    CARAT_TRY_VOID(source_.source->read_at(source_.offset + rows.first * stored_row_, stored));
    std::vector<float> values(static_cast<std::size_t>(rows.count * source_.columns));
    tensor::dequantize(source_.type, stored, values);
    if (!source_.row_scales.empty()) {
      tensor::apply_row_scales(
          std::span(source_.row_scales)
              .subspan(static_cast<std::size_t>(rows.first), static_cast<std::size_t>(rows.count)),
          values);
    }
    // A sum is not finite when one of its values is not, and is quicker to look at.
    if (std::isfinite(std::accumulate(values.begin(), values.end(), 0.0))) return values;
    return fail(ErrorKind::kInvalidModel, "{}: tensor {}: rows {} to {} hold a value that is not finite",
                source_.source->name(), source_.name, rows.first, rows.first + rows.count - 1);
  }

  Result<> find_tensor_scale() {
    float largest = 0.0F;
    std::mutex mutex;
    CARAT_TRY_VOID(for_decoded({0, source_.rows}, [&](RowRange, std::span<const float> values) -> Result<> {
      float most = 0.0F;
      for (const float value : values) most = std::max(most, std::fabs(value));
      const std::lock_guard lock(mutex);
      largest = std::max(largest, most);
      return {};
    }));
    scales_.front() = sfp8_scale(largest);
    return {};
  }

  Result<> encode_slab(RowRange slab_rows, std::span<std::byte> slab) {
    return for_decoded(slab_rows, [&](RowRange rows, std::span<const float> values) -> Result<> {
      const auto columns = static_cast<std::size_t>(source_.columns);
      std::vector<float> decoded(options_.measure_error ? columns : 0);
      double squares = 0.0;
      double errors = 0.0;
      for (std::uint64_t r = 0; r < rows.count; ++r) {
        const auto row = values.subspan(static_cast<std::size_t>(r) * columns, columns);
        const auto out = slab.subspan(
            static_cast<std::size_t>(rows.first - slab_rows.first + r) * encoded_row_, encoded_row_);
        float row_scale = scales_.empty() ? 1.0F : scales_.front();
        if (!encode_row(tensor_.type, row, importance_, out, row_scale)) {
          return fail(ErrorKind::kInvalidModel, "{}: tensor {}: row {} holds values too large for {}",
                      source_.source->name(), source_.name, rows.first + r, tensor::info(tensor_.type).name);
        }
        if (scales_.size() > 1) scales_[static_cast<std::size_t>(rows.first + r)] = row_scale;
        if (!options_.measure_error) continue;
        tensor::dequantize(tensor_.type, out, decoded);
        if (tensor::info(tensor_.type).row_scaled) tensor::apply_row_scales({&row_scale, 1}, decoded);
        for (std::size_t c = 0; c < columns; ++c) {
          const double off = static_cast<double>(decoded[c]) - row[c];
          errors += off * off;
          squares += static_cast<double>(row[c]) * row[c];
        }
      }
      const std::lock_guard lock(mutex_);
      squares_ += squares;
      errors_ += errors;
      return {};
    });
  }

  const OutputTensor& tensor_;
  const StoredTensor& source_;
  Importance importance_;
  const StreamOptions& options_;
  parallel::ThreadPool& pool_;
  const std::stop_token& stop_;
  std::size_t stored_row_;
  std::size_t encoded_row_;
  std::uint64_t rows_per_task_;
  std::vector<float> scales_;
  std::mutex mutex_;  // of the sums
  double squares_ = 0.0;
  double errors_ = 0.0;
};

Result<> copy_tensor(const OutputTensor& tensor, const StreamOptions& options, const std::stop_token& stop,
                     const Sink& sink) {
  const StoredTensor& source = tensor.source;
  const std::uint64_t bytes = source.rows * *tensor::row_bytes(source.type, source.columns);
  std::vector<std::byte> slab;
  for (std::uint64_t at = 0; at < bytes; at += kSlabBytes) {
    if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    slab.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kSlabBytes, bytes - at)));
    CARAT_TRY_VOID(source.source->read_at(source.offset + at, slab));
    CARAT_TRY_VOID(sink(slab));
    if (options.progress) options.progress(slab.size());
  }
  if (source.row_scales.empty()) return {};
  return sink(std::as_bytes(std::span(source.row_scales)));
}

}  // namespace

Result<double> stream_tensor(const OutputTensor& tensor, Importance importance, const StreamOptions& options,
                             parallel::ThreadPool& pool, const std::stop_token& stop, const Sink& sink) {
  if (tensor.values) {
    CARAT_TRY_VOID(sink(std::as_bytes(std::span(*tensor.values))));
    return 0.0;
  }
  if (tensor.is_copy()) {
    CARAT_TRY_VOID(copy_tensor(tensor, options, stop, sink));
    return 0.0;
  }
  return TensorStream(tensor, importance, options, pool, stop).run(sink);
}

}  // namespace carat::quantize
