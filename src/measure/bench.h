#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/load_model.h"
#include "measure/machine_limits.h"
#include "measure/model_work.h"
#include "measure/sequence_model.h"
#include "tensor/kv_block.h"

namespace carat::measure {

// What to time, with llama-bench's flags. Every length is timed at every depth.
struct BenchOptions {
  std::vector<std::size_t> prompt_lengths = {512, 4096};  // -p; 0 entries are skipped
  std::vector<std::size_t> generation_lengths = {128};    // -n; likewise
  std::vector<std::size_t> depths = {0};                  // -d: tokens in the cache before the timed part
  std::size_t repetitions = 5;                            // -r
  tensor::KvType kv_type = tensor::KvType::kF16;
  std::size_t threads = 1;  // of the model's backend; the limits use as many
};

// One line of the result: either a prefill of n_prompt tokens or n_gen decode steps, after n_depth tokens.
struct BenchRow {
  std::size_t n_prompt = 0;
  std::size_t n_gen = 0;
  std::size_t n_depth = 0;
  std::vector<double> samples_ns = {};  // one a repetition
  double avg_ts = 0;                    // tokens per second: mean of the repetitions, as llama-bench takes it
  double stddev_ts = 0;                 // their sample standard deviation, 0 for a single one
  // From the median time, by ModelWork's counts. A prefill reads its weights once for many rows and is not
  // bound by it, so its figures of bytes stay 0.
  double gigabytes_per_second = 0;
  double giga_ops_per_second = 0;
  double share_of_read_limit = 0;  // of MachineLimits::memory_bytes_per_second; above 1 where caches help
  double share_of_model_read_limit = 0;  // of MachineLimits::model_bytes_per_second
  double share_of_dot_limit = 0;

  std::string test() const;  // "pp512", "tg128 @ d4096"
};

struct BenchReport {
  std::string model_name;
  std::string model_path;
  std::uint64_t model_bytes = 0;  // packed weights
  std::uint64_t model_parameters = 0;
  std::string backend;  // Backend::description
  std::string cpu_name;
  std::size_t threads = 0;
  MachineLimits limits;
  std::vector<BenchRow> rows;
};

// Called before each timed run.
using BenchProgress = std::function<void(const std::string& test, std::size_t run, std::size_t runs)>;

// Times the model. Prefill goes in batches of kPrefillTokens and yields logits for its last token; decode
// feeds one token a step and yields all logits of each. Before every run the machine's limits are sampled and
// one untimed step brings the weights back into the caches. Repetitions go round the tests, so that a slow
// minute of the machine touches all of them. kUsage when nothing is to be timed, kInterrupted on `stop`.
Result<BenchReport> run_bench(engine::LoadedModel& model, const BenchOptions& options,
                              const BenchProgress& progress, const std::stop_token& stop);

// The part that needs no real model or clock: fills the rows' samples.
struct BenchHarness {
  SequenceModel& sequence;
  const Clock& clock;
  std::function<void()> before_each_run;  // samples the limits
  std::size_t vocabulary = 1;
};
Result<std::vector<BenchRow>> time_rows(const BenchHarness& harness, const BenchOptions& options,
                                        const BenchProgress& progress, const std::stop_token& stop);

// Fills the derived fields of a row that has samples_ns.
void derive_rates(const ModelWork& work, const MachineLimits& limits, BenchRow& row);

}  // namespace carat::measure
