#pragma once

#include <string>

#include "measure/bench.h"

namespace carat::measure {

// llama-bench's Markdown table with our columns after its own: GB/s with its share of what the machine reads
// from a working set of the model's size, Gop/s with its share of the machine's int8 dot products. The limits
// themselves stand below the table.
std::string bench_table(const BenchReport& report);

// A JSON list of rows under llama-bench's field names, with ours beside them.
std::string bench_json(const BenchReport& report);

}  // namespace carat::measure
