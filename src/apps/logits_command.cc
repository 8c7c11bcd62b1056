#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/commands.h"
#include "apps/load_image.h"
#include "apps/lora_option.h"
#include "apps/npy_file.h"
#include "apps/open_model.h"
#include "engine/image_reader.h"
#include "engine/prompt_tokens.h"
#include "measure/prompt_logits.h"
#include "measure/sequence_model.h"
#include "terminal/progress_line.h"

namespace carat::apps {
namespace {

struct LogitsOptions {
  std::string text;
  std::string tokens;
  std::string out;
  std::vector<std::string> images;
  std::vector<std::string> adapters;
  bool pan_and_scan = false;
  std::size_t chunk = 64;  // 64 rows of 262,144 logits are 64 MiB
};

// "2,105,2364": used as they are.
Result<std::vector<TokenId>> parse_ids(std::string_view list, std::size_t vocabulary) {
  std::vector<TokenId> ids;
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    TokenId id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    const bool is_id = error == std::errc() && end == word.data() + word.size();
    if (!is_id || id < 0 || static_cast<std::size_t>(id) >= vocabulary) {
      return fail(ErrorKind::kUsage,
                  "--tokens: expected ids between 0 and {} separated by commas, found '{}'", vocabulary - 1,
                  word);
    }
    ids.push_back(id);
    if (comma == std::string_view::npos) return ids;
    list.remove_prefix(comma + 1);
  }
}

Result<engine::PromptTokens> prompt_of(const Runtime& runtime, const LogitsOptions& options,
                                       const std::vector<prompt::Image>& pictures, engine::LoadedModel& model,
                                       engine::ImageReader* images) {
  if (!options.tokens.empty()) {
    CARAT_TRY(std::vector<TokenId> ids, parse_ids(options.tokens, model.model->config().vocab));
    return engine::PromptTokens{.ids = std::move(ids), .spans = {}};
  }
  std::vector<prompt::Piece> pieces = {prompt::PlainText{options.text}};
  if (!pictures.empty()) {
    CARAT_TRY(pieces, prompt::place_images(options.text, pictures));
  }
  CARAT_TRY(engine::PromptTokens tokens, engine::encode_prompt(pieces, model, images));
  if (images != nullptr) {
    terminal::ProgressLine progress(runtime.clock, progress_writer());
    CARAT_TRY_VOID(engine::read_images(
        tokens, 0, *images, runtime.interrupts.token(),
        [&](std::size_t done, std::size_t total) { progress.update("looking at the images", done, total); }));
  }
  return tokens;
}

// Without a choice of the user's the tower is as exact as the text model.
model::VisionPrecision tower_precision(const Runtime& runtime) {
  const bool chosen =
      runtime.settings.entry(config::Setting::kVisionPrecision).origin != config::Origin::kDefault;
  return chosen ? vision_precision(runtime) : model::VisionPrecision::kF32;
}

Result<> write_logits(Runtime& runtime, const LogitsOptions& options) {
  if (options.text.empty() == options.tokens.empty()) {
    return fail(ErrorKind::kUsage, "give either --text or --tokens, and not an empty one");
  }
  if (!options.tokens.empty() && !options.images.empty()) {
    return fail(ErrorKind::kUsage, "--image goes with --text, in which <start_of_image> is its place");
  }
  CARAT_TRY(const std::vector<prompt::Image> pictures,
            load_images(image_decoder(runtime.settings), options.images, options.pan_and_scan,
                        runtime.interrupts.token()));
  CARAT_TRY(const auto model, open_model(runtime, {.context_length = options.chunk,
                                                   .logit_rows = options.chunk,
                                                   .adapters = options.adapters,
                                                   .sees_images = !pictures.empty(),
                                                   .needs_images = !pictures.empty(),
                                                   .vision_precision = tower_precision(runtime)}));
  std::optional<engine::ImageReader> images;
  if (model->vision) images.emplace(*model->vision, engine::ImageCacheOptions{});
  CARAT_TRY(const engine::PromptTokens prompt,
            prompt_of(runtime, options, pictures, *model, images ? &*images : nullptr));
  CARAT_TRY(NpyFile file, NpyFile::create(options.out, prompt.ids.size(), model->model->config().vocab));

  terminal::ProgressLine progress(runtime.clock, progress_writer());
  std::size_t done = 0;
  const auto take = [&](std::span<const std::vector<float>> rows) -> Result<> {
    for (const std::vector<float>& row : rows) CARAT_TRY_VOID(file.write_row(row));
    done += rows.size();
    progress.update("computing logits", done, prompt.ids.size());
    return {};
  };
  CARAT_TRY_VOID(measure::prompt_logits(*model, prompt, kv_type(runtime), options.chunk,
                                        runtime.interrupts.token(), take));
  return file.commit();
}

}  // namespace

void add_logits_command(CommandLine& line) {
  using enum config::SettingGroup;
  auto options = std::make_shared<LogitsOptions>();
  CLI::App& command = line.add(
      "logits", "The logits of every position of a text, as a NumPy file of f32 [tokens, vocabulary].",
      {kModel, kKvType}, [options](Runtime& runtime) { return write_logits(runtime, *options); });
  line.add_model_argument(command);
  command.add_option("--text", options->text,
                     "the text; BOS is put in front, and each <start_of_image> is the place of an --image");
  add_image_options(command, options->images, options->pan_and_scan);
  add_lora_option(command, options->adapters);
  command.add_option("--tokens", options->tokens, "token ids separated by commas, used as they are");
  command.add_option("--out", options->out, "the file to write")->type_name("FILE")->required();
  command.add_option("--chunk", options->chunk, "tokens a step; the logits do not depend on it")
      ->check(CLI::Range(std::size_t{1}, measure::kPrefillTokens))
      ->capture_default_str();
}

}  // namespace carat::apps
