#include "measure/machine_limits.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/checked_math.h"
#include "measure/statistics.h"

namespace carat::measure {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kTaskBytes = 1024 * 1024;  // read per task: small enough to balance the threads
constexpr std::size_t kDotTasksPerThread = 16;
constexpr std::size_t kDotIterations = 4096;                   // some 20 microseconds a task
constexpr std::size_t kModelPassBytes = std::size_t{1} << 30;  // read in all from the smaller working set

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::size_t memory_working_set() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  const std::size_t memory = pages > 0 && page > 0
                                 ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(page)
                                 : std::size_t{8} << 30;
  return std::min(std::size_t{1} << 30, memory / 8);
}

Result<LimitMeter> LimitMeter::make(std::size_t threads, std::size_t memory_bytes, std::size_t model_bytes) {
  const std::size_t memory_set = round_up(std::max<std::size_t>(memory_bytes, 1), kPage);
  const std::size_t model_set = std::clamp(round_up(model_bytes, kPage), kPage, memory_set);
  CARAT_TRY(HugeBuffer buffer, HugeBuffer::allocate(memory_set));
  // Untouched pages are all one page of zeros, which every cache holds.
  std::memset(buffer.data(), 1, buffer.size());
  return LimitMeter(best_limit_loops(), threads, model_set, std::move(buffer));
}

LimitMeter::LimitMeter(const LimitLoops& loops, std::size_t threads, std::size_t model_bytes,
                       HugeBuffer buffer)
    : loops_(&loops),
      pool_(std::make_unique<parallel::ThreadPool>(threads)),
      model_bytes_(model_bytes),
      buffer_(std::move(buffer)) {}

double LimitMeter::read_rate(std::size_t bytes, std::size_t passes) {
  const std::size_t tasks = ceil_div(bytes, kTaskBytes);
  std::atomic<std::uint64_t> all = 0;
  const double time = seconds_of([&] {
    for (std::size_t pass = 0; pass < passes; ++pass) {
      pool_->run(tasks, [&](std::size_t task, std::size_t) {
        const std::size_t begin = task * kTaskBytes;
        const std::size_t size = std::min(kTaskBytes, bytes - begin);
        all.fetch_xor(loops_->read(buffer_.data() + begin, size), std::memory_order_relaxed);
      });
    }
  });
  return static_cast<double>(bytes) * static_cast<double>(passes) / time;
}

double LimitMeter::dot_rate(const DotLoop& loop) {
  const std::size_t tasks = kDotTasksPerThread * pool_->size();
  std::atomic<std::int32_t> all = 0;
  const double time = seconds_of([&] {
    pool_->run(tasks, [&](std::size_t, std::size_t) {
      all.fetch_xor(loop.run(kDotIterations), std::memory_order_relaxed);
    });
  });
  return static_cast<double>(loop.ops_per_iteration) * static_cast<double>(kDotIterations * tasks) / time;
}

double LimitMeter::best_rate(const DotLoop* loops, std::size_t count) {
  double best = 0;
  for (std::size_t i = 0; i < count; ++i) best = std::max(best, dot_rate(loops[i]));
  return best;
}

void LimitMeter::take_sample() {
  memory_samples_.push_back(read_rate(buffer_.size(), 1));
  const std::size_t passes = std::clamp<std::size_t>(kModelPassBytes / model_bytes_, 1, 64);
  read_rate(model_bytes_, 1);  // into the caches, as far as it fits
  model_samples_.push_back(read_rate(model_bytes_, passes));
  dot_samples_.push_back(best_rate(loops_->dots, loops_->dot_count));
  f32_samples_.push_back(best_rate(loops_->f32, loops_->f32_count));
  bf16_samples_.push_back(best_rate(loops_->bf16, loops_->bf16_count));
}

MachineLimits LimitMeter::medians() const {
  MachineLimits limits;
  limits.loops = loops_->name;
  limits.memory_bytes_per_second = median(memory_samples_);
  limits.model_bytes_per_second = median(model_samples_);
  limits.dot_ops_per_second = median(dot_samples_);
  limits.f32_ops_per_second = median(f32_samples_);
  limits.bf16_ops_per_second = median(bf16_samples_);
  limits.memory_working_set = buffer_.size();
  limits.model_working_set = model_bytes_;
  return limits;
}

}  // namespace carat::measure
