#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "apps/commands.h"
#include "apps/lora_option.h"
#include "apps/open_model.h"
#include "measure/bench.h"
#include "measure/bench_report.h"
#include "measure/tower_speed.h"
#include "model/checkpoint.h"
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

// The image tower alone: the text model stays in its file.
Result<> bench_tower(Runtime& runtime, std::size_t repetitions, bool json) {
  CARAT_TRY(const std::filesystem::path path, find_model(runtime));
  CARAT_TRY(const model::Checkpoint checkpoint,
            model::Checkpoint::open(path.string(), checkpoint_options(runtime)));
  if (checkpoint.vision() == nullptr) {
    return fail(ErrorKind::kUsage, "{} has no image tower; --mmproj names the file that does", path.string());
  }
  CARAT_TRY(const auto backend, make_backend(runtime));
  terminal::ProgressLine progress(runtime.clock, progress_writer());
  const auto show = [&](std::size_t run, std::size_t runs) {
    progress.update("timing the tower", run, runs);
  };
  CARAT_TRY(const measure::TowerReport report,
            measure::run_tower_bench(*checkpoint.vision(), *backend,
                                     {.precision = vision_precision(runtime),
                                      .repetitions = repetitions,
                                      .threads = thread_count(runtime)},
                                     show, runtime.interrupts.token()));
  progress.clear();
  return print(json ? measure::tower_json(report) : measure::tower_table(report));
}

}  // namespace

void add_bench_command(CommandLine& line) {
  struct Options {
    measure::BenchOptions bench;
    std::vector<std::string> adapters;
    bool image = false;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App& command = line.add(
      "bench", "Time prefill and decode beside this machine's limits.",
      {config::SettingGroup::kModel, config::SettingGroup::kKvType}, [options](Runtime& runtime) -> Result<> {
        if (options->image) return bench_tower(runtime, options->bench.repetitions, options->json);
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
  command.add_flag("--image", options->image, "time one picture through the image tower instead");
  add_lora_option(command, options->adapters);
  command.add_flag("--json", options->json, "print JSON");
}

}  // namespace carat::apps
