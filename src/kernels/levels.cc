#include "kernels/levels.h"

#include <fmt/ranges.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/level_tables.h"

namespace carat::kernels {
namespace {

#if defined(__x86_64__)

// __builtin_cpu_supports also asks whether the system saves the wide registers.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
// Leaf 7, subleaf 1, EAX: bit 4 is AVX-VNNI. g++ 12 has no name for it in __builtin_cpu_supports.
bool has_avxvnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & (1U << 4)) != 0;
}
bool has_avx512vnni() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}
bool has_avx512bf16() { return has_avx512vnni() && __builtin_cpu_supports("avx512bf16"); }

std::array<Level, 5> detect() {
  return {{{"scalar", true, true, kernels_scalar()},
           {"avx2", has_avx2(), true, kernels_avx2()},
           {"avxvnni", has_avxvnni(), true, kernels_avxvnni()},
           {"avx512vnni", has_avx512vnni(), true, kernels_avx512vnni()},
           {"avx512bf16", has_avx512bf16(), false, kernels_avx512bf16()}}};
}

#else

std::array<Level, 1> detect() { return {{{"scalar", true, true, kernels_scalar()}}}; }

#endif

}  // namespace

std::span<const Level> levels() {
  static const auto detected = detect();
  return detected;
}

const Level& best_level() {
  const auto all = levels();
  return *std::find_if(all.rbegin(), all.rend(),
                       [](const Level& level) { return level.available && level.integer_exact; });
}

const Kernels* bf16_kernels() {
  for (const Level& level : levels()) {
    if (level.available && level.kernels->dense_bf16.attend != nullptr) return level.kernels;
  }
  return nullptr;
}

Result<const Level*> find_level(std::string_view name) {
  std::vector<std::string_view> usable;
  for (const Level& level : levels()) {
    if (level.available) usable.push_back(level.name);
    if (level.available && level.name == name) return &level;
  }
  return fail(ErrorKind::kUsage, "this machine has no instruction-set level \"{}\"; it has {}", name,
              fmt::join(usable, ", "));
}

}  // namespace carat::kernels
