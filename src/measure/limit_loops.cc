#include "measure/limit_loops.h"

namespace carat::measure {

std::vector<const LimitLoops*> available_limit_loops() {
  std::vector<const LimitLoops*> available = {&limit_loops_scalar()};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    available.push_back(&limit_loops_avx2());
    if (__builtin_cpu_supports("avxvnni")) available.push_back(&limit_loops_avxvnni());
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni")) {
      available.push_back(&limit_loops_avx512vnni());
      if (__builtin_cpu_supports("avx512bf16")) available.push_back(&limit_loops_avx512bf16());
    }
  }
#endif
  return available;
}

const LimitLoops& best_limit_loops() { return *available_limit_loops().back(); }

}  // namespace carat::measure
