#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>

#include "base/result.h"
#include "kernels/encode_kernels.h"
#include "parallel/thread_pool.h"
#include "quantize/output_tensor.h"
#include "quantize/part_encoder.h"
#include "quantize/write_behind.h"

namespace carat::quantize {

struct StreamOptions {
  const kernels::EncodeKernels& kernels;
  bool measure_error = false;
  std::function<void(std::uint64_t bytes)> progress = {};  // source bytes since the last call
};

// Reads a tensor by slabs of rows, encodes them on all threads while the slab before is written, and puts
// them into `out`, so that memory does not grow with the tensor: two slabs and a few rows a thread. Gives the
// relative error of the new values, the root of sum (new - old)^2 / sum old^2; 0 when it is not to be
// measured. kInvalidModel for values that are not finite or that the type cannot hold, kInterrupted on
// `stop`, and the file's errors.
Result<double> stream_tensor(const OutputTensor& tensor, Importance importance, const StreamOptions& options,
                             parallel::ThreadPool& pool, const std::stop_token& stop, WriteBehind& out);

}  // namespace carat::quantize
