#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/huge_buffer.h"
#include "base/result.h"
#include "measure/limit_loops.h"
#include "parallel/thread_pool.h"

namespace carat::measure {

// What this machine can do at best, as medians of samples taken while something else was being measured.
struct MachineLimits {
  std::string loops;                   // instruction set of the loops: "avx512vnni"
  double memory_bytes_per_second = 0;  // plain reads of memory_working_set bytes, by all threads
  double model_bytes_per_second = 0;   // the same over model_working_set, which a cache may hold
  double dot_ops_per_second = 0;       // int8 multiply and add counted as two, from registers
  std::size_t memory_working_set = 0;  // bytes
  std::size_t model_working_set = 0;   // bytes
  double f32_ops_per_second = 0;       // the same as dot_ops_per_second in f32
  double bf16_ops_per_second = 0;      // in bfloat16 dot products; 0 where this machine has none
};

// The smaller of 1 GiB and an eighth of the memory: larger than last-level caches, and shrunk only on small
// machines.
std::size_t memory_working_set();

// Measures those limits, a sample at a time, so that samples can lie between the runs they are compared with:
// a virtual machine's memory bandwidth changes from minute to minute.
class LimitMeter {
 public:
  // The two working sets of the read limits, in bytes; both are rounded up to pages, and the model's is at
  // most the memory's, since a larger one would be no better cached. kDoesNotFit when that memory is refused.
  static Result<LimitMeter> make(std::size_t threads, std::size_t memory_bytes, std::size_t model_bytes);

  void take_sample();  // all limits once, about a fifth of a second

  MachineLimits medians() const;  // CHECKs that there is a sample

 private:
  LimitMeter(const LimitLoops& loops, std::size_t threads, std::size_t model_bytes, HugeBuffer buffer);

  double read_rate(std::size_t bytes, std::size_t passes);
  // The fastest of some loops; 0 for none.
  double best_rate(const DotLoop* loops, std::size_t count);
  double dot_rate(const DotLoop& loop);

  const LimitLoops* loops_;
  std::unique_ptr<parallel::ThreadPool> pool_;
  std::size_t model_bytes_;
  HugeBuffer buffer_;
  std::vector<double> memory_samples_;
  std::vector<double> model_samples_;
  std::vector<double> dot_samples_;
  std::vector<double> f32_samples_;
  std::vector<double> bf16_samples_;
};

}  // namespace carat::measure
