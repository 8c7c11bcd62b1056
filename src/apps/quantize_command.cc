#include <memory>
#include <string>
#include <vector>

#include "apps/commands.h"
#include "apps/open_model.h"
#include "apps/quantize_report.h"
#include "base/text_file.h"
#include "kernels/levels.h"
#include "measure/perplexity.h"
#include "quantize/activation_recorder.h"
#include "quantize/quantize_model.h"
#include "terminal/progress_line.h"

namespace carat::apps {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{1} << 30;

struct Options {
  std::string to;
  quantize::QuantizeOptions quantize;
  std::string calibrate;
  std::string text;
  std::size_t chunks = 0;
  bool json = false;
};

// Runs the model at `path` over a text. `backend` computes and outlives nothing: it goes with the model.
Result<measure::PerplexityResult> run_over(Runtime& runtime, const std::string& path, const std::string& text,
                                           std::size_t chunks, std::unique_ptr<backend::Backend> backend,
                                           const std::function<void(const backend::Backend&)>& look) {
  terminal::ProgressLine line(runtime.clock, progress_writer());
  const auto loading = [&](std::uint64_t done, std::uint64_t total) {
    line.update("loading the model", done, total);
  };
  CARAT_TRY(const auto model,
            engine::load_model(path, std::move(backend), loading, runtime.interrupts.token()));
  const auto show = [&](const measure::PerplexityResult& so_far, std::size_t all) {
    line.update(fmt::format("perplexity {:.3f} so far", so_far.perplexity), so_far.chunks, all);
  };
  measure::PerplexityOptions options;
  options.threads = thread_count(runtime);
  options.chunks = chunks;
  CARAT_TRY(measure::PerplexityResult result,
            measure::run_perplexity(*model, text, options, show, runtime.interrupts.token()));
  look(*model->backend);
  return result;
}

struct Texts {
  std::string calibration;
  std::string scored;
};

// Both are read once, since either may be a pipe.
Result<Texts> read_texts(const Options& options) {
  Texts texts;
  if (!options.calibrate.empty()) {
    CARAT_TRY(texts.calibration, read_text_file(options.calibrate, kMaxTextBytes));
  }
  if (!options.text.empty()) {
    CARAT_TRY(texts.scored, read_text_file(options.text, kMaxTextBytes));
  }
  if (options.calibrate.empty() || options.text.empty()) return texts;
  // A text says little about scales that were chosen for it.
  if (!texts.calibration.contains(texts.scored) && !texts.scored.contains(texts.calibration)) return texts;
  return fail(ErrorKind::kUsage,
              "--text {}: this text calibrates the scales (--calibrate {}); name one that does not",
              options.text, options.calibrate);
}

Result<quantize::ActivationMoments> calibrate(Runtime& runtime, const std::string& path,
                                              const std::string& text, std::size_t chunks) {
  CARAT_TRY(auto backend, make_backend(runtime));
  quantize::ActivationMoments moments;
  CARAT_TRY_VOID(run_over(runtime, path, text, chunks,
                          std::make_unique<quantize::ActivationRecorder>(std::move(backend)),
                          [&](const backend::Backend& used) {
                            moments = static_cast<const quantize::ActivationRecorder&>(used).moments();
                          }));
  return moments;
}

Result<double> perplexity_of(Runtime& runtime, const std::string& path, const std::string& text,
                             std::size_t chunks) {
  CARAT_TRY(auto backend, make_backend(runtime));
  CARAT_TRY(const auto result, run_over(runtime, path, text, chunks, std::move(backend), [](const auto&) {}));
  return result.perplexity;
}

Result<> run_quantize(Runtime& runtime, Options& options) {
  const auto precision = quantize::find_precision(options.to);
  if (!precision) return fail(ErrorKind::kUsage, "--to: there is no precision '{}'", options.to);
  options.quantize.precision = *precision;
  CARAT_TRY(const Texts texts, read_texts(options));
  CARAT_TRY(const std::filesystem::path path, find_model(runtime));
  CARAT_TRY(const model::Checkpoint source, model::Checkpoint::open(path.string()));
  if (!options.calibrate.empty()) {
    CARAT_TRY(options.quantize.importance,
              calibrate(runtime, path.string(), texts.calibration, options.chunks));
  }
  PerplexityChange change;
  if (!options.text.empty()) {
    CARAT_TRY(change.before, perplexity_of(runtime, path.string(), texts.scored, options.chunks));
  }
  if (const std::string level = runtime.settings.text(config::Setting::kCpu); !level.empty()) {
    CARAT_TRY(const kernels::Level* named, kernels::find_level(level));
    options.quantize.kernels = named->kernels;
  }
  quantize::QuantizeReport report;
  {
    terminal::ProgressLine line(runtime.clock, progress_writer());
    const auto show = [&](std::uint64_t done, std::uint64_t total) {
      line.update("quantizing", done, total);
    };
    parallel::ThreadPool pool(thread_count(runtime));
    CARAT_TRY(report,
              quantize::quantize_model(source, options.quantize, pool, show, runtime.interrupts.token()));
  }
  for (const std::string& remark : report.remarks) note(remark);
  if (!options.text.empty()) {
    CARAT_TRY(change.after, perplexity_of(runtime, options.quantize.output, texts.scored, options.chunks));
  }
  return print(options.json ? quantize_json(report, options.quantize, change)
                            : quantize_text(report, options.quantize, change));
}

}  // namespace

void add_quantize_command(CommandLine& line) {
  auto options = std::make_shared<Options>();
  CLI::App& command =
      line.add("quantize", "Write a model in another precision.", {config::SettingGroup::kModel},
               [options](Runtime& runtime) { return run_quantize(runtime, *options); });
  line.add_model_argument(command);
  std::vector<std::string> names;
  for (const quantize::PrecisionInfo& precision : quantize::precisions()) names.emplace_back(precision.name);
  command.add_option("OUT", options->quantize.output, "a file NAME.gguf, or a folder for safetensors")
      ->type_name("")
      ->required();
  command.add_option("--to", options->to, "the precision")->check(CLI::IsMember(names))->required();
  command
      .add_option("--calibrate", options->calibrate, "weigh errors by the activations that this text gives")
      ->type_name("FILE");
  command.add_flag("--report", options->quantize.measure_error, "print the error of every tensor");
  command
      .add_option("--text", options->text,
                  "print the perplexity of this text before and after; another than --calibrate's")
      ->type_name("FILE");
  command.add_option("--chunks", options->chunks, "so many chunks of 512 tokens of either text; 0: all")
      ->capture_default_str();
  command.add_flag("--json", options->json, "print one JSON object");
}

}  // namespace carat::apps
