#include "kernels/kernels.h"
#include "kernels/level_tables.h"
#include "kernels/simd_avx512.h"

// The vectors above come first: the kernels are written in them.
#include "kernels/kernel_table_inl.h"

namespace carat::kernels {

constexpr Kernels kTable = make_kernels("avx512bf16");
const Kernels* kernels_avx512bf16() { return &kTable; }

}  // namespace carat::kernels
