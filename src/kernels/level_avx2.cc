#include "kernels/kernels.h"
#include "kernels/level_tables.h"
#include "kernels/simd_avx2.h"

// The vectors above come first: the kernels are written in them.
#include "kernels/kernel_table_inl.h"

namespace carat::kernels {

constexpr Kernels kTable = make_kernels("avx2");
const Kernels* kernels_avx2() { return &kTable; }

}  // namespace carat::kernels
