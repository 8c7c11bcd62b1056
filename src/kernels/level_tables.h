#pragma once

#include "kernels/kernels.h"

namespace carat::kernels {

// One per level_*.cc; a level that this build leaves out (another processor family) is not defined and not
// listed in levels.cc.
const Kernels* kernels_scalar();
const Kernels* kernels_avx2();
const Kernels* kernels_avxvnni();
const Kernels* kernels_avx512vnni();
const Kernels* kernels_avx512bf16();

}  // namespace carat::kernels
