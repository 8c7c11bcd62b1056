#include "quantize/tensor_stream.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>
#include <vector>

#include "base/checked_math.h"
#include "quantize/encode_rows.h"
#include "tensor/dequantize.h"

namespace carat::quantize {
namespace {

using tensor::ElementType;
using tensor::StoredTensor;

constexpr std::size_t kTaskValues = std::size_t{64}
                                    << 10;  // decoded at once by a thread: they stay in its cache

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
               parallel::ThreadPool& pool, const std::stop_token& stop, WriteBehind& out)
      : tensor_(tensor),
        source_(tensor.source),
        options_(options),
        pool_(pool),
        stop_(stop),
        out_(out),
        encoding_({tensor.type, static_cast<std::size_t>(source_.columns), importance}),
        stored_row_(static_cast<std::size_t>(*tensor::row_bytes(source_.type, source_.columns))),
        encoded_row_(static_cast<std::size_t>(*tensor::row_bytes(tensor.type, source_.columns))),
        // Whole groups of rows: those of int4 per channel are encoded side by side.
        rows_per_task_(round_up(std::max<std::uint64_t>(1, kTaskValues / source_.columns),
                                std::uint64_t{kernels::kParts})),
        scratch_(pool.size()) {}

  Result<double> run() {
    scales_.assign(static_cast<std::size_t>(tensor_.scale_count()), 1.0F);
    if (tensor_.type == ElementType::kSFP8) CARAT_TRY_VOID(find_tensor_scale());
    const std::uint64_t step =
        rows_per_task_ *
        std::max<std::uint64_t>(1, WriteBehind::kSlabBytes / (encoded_row_ * rows_per_task_));
    for (std::uint64_t row = 0; row < source_.rows; row += step) {
      const RowRange rows = {row, std::min(step, source_.rows - row)};
      CARAT_TRY_VOID(encode_slab(rows, out_.extend(static_cast<std::size_t>(rows.count) * encoded_row_)));
      out_.turn();
      if (options_.progress) options_.progress(rows.count * stored_row_);
    }
    if (!scales_.empty()) out_.append(std::as_bytes(std::span(scales_)));
    return squares_ > 0.0 ? std::sqrt(errors_ / squares_) : 0.0;
  }

 private:
  // Of one thread, kept between its tasks.
  struct Scratch {
    std::vector<std::byte> stored;
    std::vector<float> values;
    std::vector<float> row_scales;
    std::vector<float> decoded;
  };

  // Calls work(rows, scratch) with decoded rows in scratch.values, on all threads; one of them first writes
  // the slab before.
  template <class Work>
  Result<> for_decoded(RowRange rows, Work work) {
    FirstError error;
    const auto tasks = static_cast<std::size_t>(ceil_div(rows.count, rows_per_task_));
    pool_.run(tasks + 1, [&](std::size_t task, std::size_t thread) {
      if (stop_.stop_requested()) return;
      if (task == 0) {
        if (auto status = out_.write_full(); !status) error.set(std::move(status).error());
        return;
      }
      const std::uint64_t skipped = (task - 1) * rows_per_task_;
      const RowRange part = {rows.first + skipped, std::min(rows_per_task_, rows.count - skipped)};
      Scratch& scratch = scratch_[thread];
      auto status = decode(part, scratch);
      if (status) status = work(part, scratch);
      if (!status) error.set(std::move(status).error());
    });
    if (stop_.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    return error.result();
  }

  Result<> decode(RowRange rows, Scratch& scratch) const {
    scratch.stored.resize(static_cast<std::size_t>(rows.count) * stored_row_);
    scratch.values.resize(static_cast<std::size_t>(rows.count * source_.columns));
    const std::span<float> values = scratch.values;
    CARAT_TRY_VOID(source_.source->read_at(source_.offset + rows.first * stored_row_, scratch.stored));
    switch (source_.type) {
      case ElementType::kBF16:
        options_.kernels.widen_bf16(scratch.stored.data(), values.size(), values.data());
        break;
      case ElementType::kF16:
        options_.kernels.widen_f16(scratch.stored.data(), values.size(), values.data());
        break;
      default: tensor::dequantize(source_.type, scratch.stored, values);
    }
    if (!source_.row_scales.empty()) {
      tensor::apply_row_scales(
          std::span(source_.row_scales)
              .subspan(static_cast<std::size_t>(rows.first), static_cast<std::size_t>(rows.count)),
          values);
    }
    if (options_.kernels.all_finite(values.data(), values.size())) return {};
    return fail(ErrorKind::kInvalidModel, "{}: tensor {}: rows {} to {} hold a value that is not finite",
                source_.source->name(), source_.name, rows.first, rows.first + rows.count - 1);
  }

  Result<> find_tensor_scale() {
    float largest = 0.0F;
    std::mutex mutex;
    CARAT_TRY_VOID(for_decoded({0, source_.rows}, [&](RowRange, const Scratch& scratch) -> Result<> {
      float most = 0.0F;
      for (const float value : scratch.values) most = std::max(most, std::fabs(value));
      const std::lock_guard lock(mutex);
      largest = std::max(largest, most);
      return {};
    }));
    scales_.front() = sfp8_scale(largest);
    return {};
  }

  Result<> encode_slab(RowRange slab_rows, std::span<std::byte> slab) {
    return for_decoded(slab_rows, [&](RowRange rows, Scratch& scratch) -> Result<> {
      const auto out = slab.subspan(static_cast<std::size_t>(rows.first - slab_rows.first) * encoded_row_,
                                    static_cast<std::size_t>(rows.count) * encoded_row_);
      const bool scaled = tensor::info(tensor_.type).row_scaled;
      scratch.row_scales.assign(scaled ? static_cast<std::size_t>(rows.count) : 0,
                                scaled ? scales_.front() : 1.0F);
      if (const auto row =
              encode_rows(encoding_, options_.kernels, scratch.values, out, scratch.row_scales)) {
        return fail(ErrorKind::kInvalidModel, "{}: tensor {}: from row {} on values are too large for {}",
                    source_.source->name(), source_.name, rows.first + *row, tensor::info(tensor_.type).name);
      }
      if (scales_.size() > 1) {
        std::ranges::copy(scratch.row_scales, scales_.begin() + static_cast<std::ptrdiff_t>(rows.first));
      }
      if (options_.measure_error) measure(out, scratch);
      return {};
    });
  }

  void measure(std::span<const std::byte> encoded, Scratch& scratch) {
    scratch.decoded.resize(scratch.values.size());
    tensor::dequantize(tensor_.type, encoded, scratch.decoded);
    tensor::apply_row_scales(scratch.row_scales, scratch.decoded);
    double squares = 0.0;
    double errors = 0.0;
    for (std::size_t i = 0; i < scratch.values.size(); ++i) {
      const double value = scratch.values[i];
      const double off = scratch.decoded[i] - value;
      errors += off * off;
      squares += value * value;
    }
    const std::lock_guard lock(mutex_);
    squares_ += squares;
    errors_ += errors;
  }

  const OutputTensor& tensor_;
  const StoredTensor& source_;
  const StreamOptions& options_;
  parallel::ThreadPool& pool_;
  const std::stop_token& stop_;
  WriteBehind& out_;
  EncodeOptions encoding_;
  std::size_t stored_row_;
  std::size_t encoded_row_;
  std::uint64_t rows_per_task_;
  std::vector<Scratch> scratch_;
  std::vector<float> scales_;
  std::mutex mutex_;  // of the sums
  double squares_ = 0.0;
  double errors_ = 0.0;
};

Result<> copy_tensor(const OutputTensor& tensor, const StreamOptions& options, const std::stop_token& stop,
                     WriteBehind& out) {
  const StoredTensor& source = tensor.source;
  const std::uint64_t bytes = source.rows * *tensor::row_bytes(source.type, source.columns);
  for (std::uint64_t at = 0; at < bytes; at += WriteBehind::kSlabBytes) {
    if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    CARAT_TRY_VOID(out.write_full());
    const auto slab =
        out.extend(static_cast<std::size_t>(std::min<std::uint64_t>(WriteBehind::kSlabBytes, bytes - at)));
    CARAT_TRY_VOID(source.source->read_at(source.offset + at, slab));
    out.turn();
    if (options.progress) options.progress(slab.size());
  }
  out.append(std::as_bytes(std::span(source.row_scales)));
  return {};
}

}  // namespace

Result<double> stream_tensor(const OutputTensor& tensor, Importance importance, const StreamOptions& options,
                             parallel::ThreadPool& pool, const std::stop_token& stop, WriteBehind& out) {
  if (tensor.values) {
    out.append(std::as_bytes(std::span(*tensor.values)));
    return 0.0;
  }
  if (tensor.is_copy()) {
    CARAT_TRY_VOID(copy_tensor(tensor, options, stop, out));
    return 0.0;
  }
  return TensorStream(tensor, importance, options, pool, stop, out).run();
}

}  // namespace carat::quantize
