#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace carat::measure {

// A loop of multiplications and additions over registers alone: `accumulators` independent chains, enough to
// hide the latency of one instruction and few enough to leave room for the operands, so that nothing spills.
struct DotLoop {
  std::size_t accumulators;
  std::uint64_t ops_per_iteration;              // multiplications and additions
  std::int32_t (*run)(std::size_t iterations);  // the value keeps the work from being optimized away
};

// The fastest that one instruction set does, one thread.
struct LimitLoops {
  const char* name;
  // Reads every byte of [data, data + bytes), 64-byte aligned, bytes a multiple of 4096; combines them by
  // xor.
  std::uint64_t (*read)(const std::byte* data, std::size_t bytes);
  const DotLoop* dots;  // a pointer and a count: a span is a template, whose code two sets could then share
  std::size_t dot_count;
  const DotLoop* f32;  // the same in f32: every lane adds 3 * -5 and begins with its chain's number
  std::size_t f32_count;
  const DotLoop* bf16 = nullptr;  // dot products of two bfloat16, where the set has them
  std::size_t bf16_count = 0;
};

// One of each per file limit_*.cc. Those for x86 exist only in builds for it.
const LimitLoops& limit_loops_scalar();
const LimitLoops& limit_loops_avx2();
const LimitLoops& limit_loops_avxvnni();
const LimitLoops& limit_loops_avx512vnni();
const LimitLoops& limit_loops_avx512bf16();

// The best that this machine has. A forced level (CARAT_CPU) does not change what the machine could do.
const LimitLoops& best_limit_loops();

// Every set that this machine has, for tests.
std::vector<const LimitLoops*> available_limit_loops();

}  // namespace carat::measure
