#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "apps/commands.h"
#include "apps/lora_option.h"
#include "apps/open_model.h"
#include "measure/bench.h"
#include "measure/bench_report.h"
#include "terminal/progress_line.h"

namespace carat::apps {

namespace {

std::size_t longest_sequence(const measure::BenchOptions& bench) {
  std::size_t length = 1;
  for (const auto* lengths : {&bench.prompt_lengths, &bench.generation_lengths}) {
    for (const std::size_t tokens : *lengths) length = std::max(length, tokens);
  }
  std::size_t depth = 0;
  for (const std::size_t tokens : bench.depths) depth = std::max(depth, tokens);
  return length + depth;
}

}  // namespace

void add_bench_command(CommandLine& line) {
  struct Options {
    measure::BenchOptions bench;
    std::vector<std::string> adapters;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App& command = line.add(
      "bench", "Time prefill and decode beside this machine's limits.",
      {config::SettingGroup::kModel, config::SettingGroup::kKvType}, [options](Runtime& runtime) -> Result<> {
        CARAT_TRY(const auto model, open_model(runtime, {.context_length = longest_sequence(options->bench),
                                                         .adapters = options->adapters,
                                                         .sees_images = false}));
        options->bench.threads = thread_count(runtime);
        options->bench.kv_type = kv_type(runtime);
        terminal::ProgressLine progress(runtime.clock, progress_writer());
        const auto show = [&](const std::string& test, std::size_t run, std::size_t runs) {
          progress.update("timing " + test, run, runs);
        };
        CARAT_TRY(const measure::BenchReport report,
                  measure::run_bench(*model, options->bench, show, runtime.interrupts.token()));
        progress.clear();
        return print(options->json ? measure::bench_json(report) : measure::bench_table(report));
      });
  measure::BenchOptions& bench = options->bench;
  command.add_option("-p,--n-prompt", bench.prompt_lengths, "prompt lengths, separated by commas; 0: none")
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("-n,--n-gen", bench.generation_lengths, "numbers of tokens to generate; 0: none")
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("-d,--n-depth", bench.depths, "tokens in the KV cache before the timed part")
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("-r,--repetitions", bench.repetitions, "runs of each test")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  add_lora_option(command, options->adapters);
  command.add_flag("--json", options->json, "print a JSON list");
}

}  // namespace carat::apps
