#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <stop_token>

#include "base/result.h"
#include "parallel/thread_pool.h"
#include "quantize/encode_rows.h"
#include "quantize/output_tensor.h"

namespace carat::quantize {

// Takes the bytes of a tensor, in order.
using Sink = std::function<Result<>(std::span<const std::byte>)>;

struct StreamOptions {
  bool measure_error = false;
  std::function<void(std::uint64_t bytes)> progress = {};  // source bytes since the last call
};

// Reads a tensor by slabs of rows, encodes them on all threads and hands them on, so that memory does not
// grow with the tensor: about 32 MiB and a few rows a thread. Gives the relative error of the new values, the
// root of sum (new - old)^2 / sum old^2; 0 when it is not to be measured. kInvalidModel for values that are
// not finite or that the type cannot hold, kInterrupted on `stop`, and the sink's errors.
Result<double> stream_tensor(const OutputTensor& tensor, Importance importance, const StreamOptions& options,
                             parallel::ThreadPool& pool, const std::stop_token& stop, const Sink& sink);

}  // namespace carat::quantize
