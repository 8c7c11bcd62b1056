#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/result.h"
#include "measure/machine_limits.h"
#include "model/vision_packing.h"
#include "model/vision_tensors.h"

namespace carat::measure {

struct TowerBenchOptions {
  model::VisionPrecision precision = model::VisionPrecision::kInt8;
  std::size_t repetitions = 5;
  std::size_t threads = 1;  // of the backend; the limits use as many
};

// What one picture costs, in multiplications and additions counted as two.
struct TowerWork {
  std::uint64_t linear_ops = 0;     // of all matrices: patch embedding, layers, projection
  std::uint64_t attention_ops = 0;  // scores and weighted values
};
TowerWork tower_work(const model::VisionConfig& config);

// A part of the work: medians over the repetitions.
struct TowerPart {
  double seconds = 0;
  double giga_ops_per_second = 0;
  std::string arithmetic = {};  // "int8", "bf16", "f32"
  double share_of_limit = 0;    // of what this machine does at best in that arithmetic
};

struct TowerReport {
  std::string precision;  // "int8"
  std::string backend;    // Backend::description
  std::string cpu_name;
  std::size_t threads = 0;
  std::uint64_t weight_bytes = 0;
  std::vector<double> samples_ns;  // of a whole picture, one a repetition
  double seconds = 0;              // their median
  double other_seconds = 0;        // norms, activations, sums, pooling
  TowerPart linear;
  TowerPart attention;
  // The time that the operations would take at the limits of their arithmetic, over the time taken.
  double share_of_limit = 0;
  MachineLimits limits;
};

std::string_view name_of(model::VisionPrecision precision);

// Loads the tower into `backend` and encodes one picture, once untimed and then `repetitions` times; the
// machine's limits are sampled before each. kUsage for no repetition, otherwise the errors of
// VisionTower::load and kInterrupted.
Result<TowerReport> run_tower_bench(const model::VisionTensors& tensors, backend::Backend& backend,
                                    const TowerBenchOptions& options,
                                    const std::function<void(std::size_t run, std::size_t runs)>& progress,
                                    const std::stop_token& stop);

// Fills the medians and shares from samples_ns and the samples of both parts.
void derive_tower_rates(const TowerWork& work, const std::vector<double>& linear_ns,
                        const std::vector<double>& attention_ns, TowerReport& report);

// For people, and as one JSON object.
std::string tower_table(const TowerReport& report);
std::string tower_json(const TowerReport& report);

}  // namespace carat::measure
