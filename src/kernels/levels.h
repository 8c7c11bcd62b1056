#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "kernels/kernels.h"

namespace carat::kernels {

// An instruction-set level that this build contains.
struct Level {
  std::string_view name;
  bool available = false;     // this machine has every instruction it needs
  bool integer_exact = true;  // same bits as `scalar` for every element type
  const Kernels* kernels = nullptr;
};

// From the plainest to the most capable.
std::span<const Level> levels();

// The most capable level that this machine has and that gives the bits of all the others. The bfloat16 level
// is there to be asked for: it rounds activations, and it is the slower one on the processors measured so far
// (docs/decisions/kernel-levels.md).
const Level& best_level();

// The kernels with bfloat16 dot products, for operations that allow rounding to bfloat16; null where this
// machine has none.
const Kernels* bf16_kernels();

// The level of that name. kUsage, naming the levels there are, when it is unknown or this machine lacks it.
Result<const Level*> find_level(std::string_view name);

}  // namespace carat::kernels
