#include "measure/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"
#include "measure/machine_files.h"
#include "measure/statistics.h"

namespace carat::measure {
namespace {

std::vector<BenchRow> rows_for(const BenchOptions& options) {
  std::vector<BenchRow> rows;
  for (const std::size_t depth : options.depths) {
    for (const std::size_t length : options.prompt_lengths) {
      if (length > 0) rows.push_back({.n_prompt = length, .n_depth = depth});
    }
    for (const std::size_t length : options.generation_lengths) {
      if (length > 0) rows.push_back({.n_gen = length, .n_depth = depth});
    }
  }
  return rows;
}

std::size_t tokens_needed(const BenchRow& row) { return row.n_depth + row.n_prompt + row.n_gen; }

// Runs the timed parts. Which tokens are fed does not matter to the time; a fixed sequence of all ids keeps
// runs comparable.
class Runner {
 public:
  Runner(const BenchHarness& harness, std::stop_token stop) : harness_(harness), stop_(std::move(stop)) {}

  // Nanoseconds of the timed part.
  Result<double> run(const BenchRow& row) {
    if (harness_.before_each_run) harness_.before_each_run();
    harness_.sequence.reset();
    fed_ = 0;
    CARAT_TRY_VOID(decode(1));
    harness_.sequence.reset();
    CARAT_TRY_VOID(prefill(row.n_depth, 0));
    const auto start = harness_.clock.now();
    CARAT_TRY_VOID(prefill(row.n_prompt, 1));
    CARAT_TRY_VOID(decode(row.n_gen));
    return static_cast<double>((harness_.clock.now() - start).count());
  }

 private:
  // In batches of kPrefillTokens; the last `logit_rows` tokens of all yield logits.
  Result<> prefill(std::size_t count, std::size_t logit_rows) {
    for (std::size_t done = 0; done < count;) {
      const std::size_t size = std::min(kPrefillTokens, count - done);
      done += size;
      CARAT_TRY_VOID(append(size, done == count ? logit_rows : 0));
    }
    return {};
  }

  Result<> decode(std::size_t steps) {
    for (std::size_t step = 0; step < steps; ++step) CARAT_TRY_VOID(append(1, 1));
    return {};
  }

  Result<> append(std::size_t count, std::size_t logit_rows) {
    if (stop_.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    tokens_.resize(count);
    for (TokenId& token : tokens_) {
      constexpr std::uint64_t kStride =
          7919;  // a prime: neighbours in the text are no neighbours in the table
      token = static_cast<TokenId>(fed_++ * kStride % harness_.vocabulary);
    }
    auto logits = harness_.sequence.append(tokens_, logit_rows, stop_);
    if (!logits) return std::unexpected(std::move(logits).error());
    return {};
  }

  const BenchHarness& harness_;
  std::stop_token stop_;
  std::uint64_t fed_ = 0;
  std::vector<TokenId> tokens_;
};

}  // namespace

std::string BenchRow::test() const {
  const std::string name = n_prompt > 0 ? fmt::format("pp{}", n_prompt) : fmt::format("tg{}", n_gen);
  return n_depth > 0 ? fmt::format("{} @ d{}", name, n_depth) : name;
}

Result<std::vector<BenchRow>> time_rows(const BenchHarness& harness, const BenchOptions& options,
                                        const BenchProgress& progress, const std::stop_token& stop) {
  std::vector<BenchRow> rows = rows_for(options);
  if (rows.empty())
    return fail(ErrorKind::kUsage, "nothing to measure: give a prompt or an answer length above 0");
  if (options.repetitions == 0) return fail(ErrorKind::kUsage, "a bench needs at least 1 repetition");
  Runner runner(harness, stop);
  const std::size_t runs = rows.size() * options.repetitions;
  std::size_t run = 0;
  // The first touch of each row's memory is not timed.
  for (const BenchRow& row : rows) {
    CARAT_TRY([[maybe_unused]] const double warm_up, runner.run(row));
  }
  for (std::size_t repetition = 0; repetition < options.repetitions; ++repetition) {
    for (BenchRow& row : rows) {
      if (progress) progress(row.test(), run++, runs);
      CARAT_TRY(const double time, runner.run(row));
      row.samples_ns.push_back(time);
    }
  }
  return rows;
}

void derive_rates(const ModelWork& work, const MachineLimits& limits, BenchRow& row) {
  const std::size_t tokens = row.n_prompt + row.n_gen;
  std::vector<double> rates;
  for (const double time : row.samples_ns) rates.push_back(static_cast<double>(tokens) * 1e9 / time);
  row.avg_ts = mean(rates);
  row.stddev_ts = standard_deviation(rates);

  const double typical_ns = median(row.samples_ns);
  const std::uint64_t heads = row.n_prompt > 0 ? 1 : row.n_gen;
  row.giga_ops_per_second = static_cast<double>(work.ops(tokens, heads)) / typical_ns;
  row.share_of_dot_limit = row.giga_ops_per_second * 1e9 / limits.dot_ops_per_second;
  row.gigabytes_per_second = static_cast<double>(work.decode_bytes(row.n_depth, row.n_gen)) / typical_ns;
  row.share_of_read_limit = row.gigabytes_per_second * 1e9 / limits.memory_bytes_per_second;
  row.share_of_model_read_limit = row.gigabytes_per_second * 1e9 / limits.model_bytes_per_second;
}

Result<BenchReport> run_bench(engine::LoadedModel& model, const BenchOptions& options,
                              const BenchProgress& progress, const std::stop_token& stop) {
  std::size_t longest = 1;
  for (const BenchRow& row : rows_for(options)) longest = std::max(longest, tokens_needed(row));
  CARAT_TRY(const std::unique_ptr<SequenceModel> sequence,
            make_sequence_model(model, longest, options.kv_type));
  CARAT_TRY(LimitMeter meter,
            LimitMeter::make(options.threads, memory_working_set(), model.model->weight_bytes()));
  const SteadyClock clock;
  const BenchHarness harness = {*sequence, clock, [&meter] { meter.take_sample(); },
                                model.model->config().vocab};

  BenchReport report;
  CARAT_TRY(report.rows, time_rows(harness, options, progress, stop));
  const ModelWork work = {.config = model.model->config(), .weight_bytes = model.model->weight_bytes()};
  report.limits = meter.medians();
  for (BenchRow& row : report.rows) derive_rates(work, report.limits, row);
  report.model_name = model.name;
  report.model_path = model.path;
  report.model_bytes = work.weight_bytes;
  report.model_parameters = work.non_embedding_parameters() + work.embedding_parameters();
  report.backend = model.backend->description();
  report.cpu_name = cpu_name(system_file_reader());
  report.threads = options.threads;
  return report;
}

}  // namespace carat::measure
