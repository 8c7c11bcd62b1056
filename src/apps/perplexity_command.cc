#include <memory>
#include <string>
#include <vector>

#include "apps/commands.h"
#include "apps/lora_option.h"
#include "apps/open_model.h"
#include "base/text_file.h"
#include "measure/perplexity.h"
#include "terminal/progress_line.h"

namespace carat::apps {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{1} << 30;

}  // namespace

void add_perplexity_command(CommandLine& line) {
  struct Options {
    std::string file;
    measure::PerplexityOptions measure;
    std::vector<std::string> adapters;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App& command = line.add(
      "perplexity", "Perplexity of a text file, counted as llama-perplexity does.",
      {config::SettingGroup::kModel, config::SettingGroup::kKvType}, [options](Runtime& runtime) -> Result<> {
        CARAT_TRY(const std::string text, read_text_file(options->file, kMaxTextBytes));
        CARAT_TRY(const auto model, open_model(runtime, {.context_length = options->measure.context,
                                                         .logit_rows = measure::kScoredRows,
                                                         .adapters = options->adapters,
                                                         .sees_images = false}));
        options->measure.threads = thread_count(runtime);
        options->measure.kv_type = kv_type(runtime);
        terminal::ProgressLine progress(runtime.clock, progress_writer());
        const auto show = [&](const measure::PerplexityResult& so_far, std::size_t chunks) {
          progress.update(fmt::format("perplexity {:.3f} so far", so_far.perplexity), so_far.chunks, chunks);
        };
        CARAT_TRY(const measure::PerplexityResult result,
                  measure::run_perplexity(*model, text, options->measure, show, runtime.interrupts.token()));
        progress.clear();
        if (options->json) return print(measure::perplexity_json(result));
        return print(fmt::format("perplexity {:.4f} +/- {:.4f} ({} chunks of {} tokens, {} scored)\n",
                                 result.perplexity, result.error, result.chunks, result.context,
                                 result.scored));
      });
  command.add_option("FILE", options->file, "the text")->type_name("")->required();
  command.add_option("-c,--context", options->measure.context, "tokens a chunk")->capture_default_str();
  command.add_option("--chunks", options->measure.chunks, "so many chunks; 0: all")->capture_default_str();
  add_lora_option(command, options->adapters);
  command.add_flag("--json", options->json, "print one JSON object");
}

}  // namespace carat::apps
