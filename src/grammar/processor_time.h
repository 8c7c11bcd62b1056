#pragma once

#include <cstdint>
#include <ctime>

namespace carat::grammar {

// Processor time of this thread, in microseconds: what a mask costs, however busy the machine is.
inline std::uint64_t processor_microseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec) / 1000;
}

}  // namespace carat::grammar
