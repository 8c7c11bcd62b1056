#include <algorithm>
#include <charconv>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/commands.h"
#include "apps/npy_file.h"
#include "apps/open_model.h"
#include "measure/sequence_model.h"
#include "terminal/progress_line.h"

namespace carat::apps {
namespace {

struct LogitsOptions {
  std::string text;
  std::string tokens;
  std::string out;
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

Result<std::vector<TokenId>> ids_of(const LogitsOptions& options, const engine::LoadedModel& model) {
  if (!options.tokens.empty()) return parse_ids(options.tokens, model.model->config().vocab);
  std::vector<TokenId> ids;
  if (const auto bos = model.tokenizer->bos()) ids.push_back(*bos);
  const auto text = model.tokenizer->encode(options.text, tokenizer::ControlTokens::kAsText);
  ids.insert(ids.end(), text.begin(), text.end());
  if (ids.empty()) return fail(ErrorKind::kUsage, "--text is empty, and the model has no BOS token");
  return ids;
}

Result<> write_logits(Runtime& runtime, const LogitsOptions& options) {
  if (options.text.empty() == options.tokens.empty()) {
    return fail(ErrorKind::kUsage, "give either --text or --tokens, and not an empty one");
  }
  CARAT_TRY(const auto model, open_model(runtime));
  CARAT_TRY(const std::vector<TokenId> ids, ids_of(options, *model));
  CARAT_TRY(const auto sequence, measure::make_sequence_model(*model, ids.size(), kv_type(runtime)));
  CARAT_TRY(NpyFile file, NpyFile::create(options.out, ids.size(), model->model->config().vocab));

  terminal::ProgressLine progress(runtime.clock, progress_writer());
  for (std::size_t done = 0; done < ids.size();) {
    const std::size_t count = std::min(options.chunk, ids.size() - done);
    CARAT_TRY(const auto rows,
              sequence->append(std::span(ids).subspan(done, count), count, runtime.interrupts.token()));
    for (const std::vector<float>& row : rows) CARAT_TRY_VOID(file.write_row(row));
    done += count;
    progress.update("computing logits", done, ids.size());
  }
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
  command.add_option("--text", options->text, "the text; BOS is put in front");
  command.add_option("--tokens", options->tokens, "token ids separated by commas, used as they are");
  command.add_option("--out", options->out, "the file to write")->type_name("FILE")->required();
  command.add_option("--chunk", options->chunk, "tokens a step; the logits do not depend on it")
      ->check(CLI::Range(std::size_t{1}, measure::kPrefillTokens))
      ->capture_default_str();
}

}  // namespace carat::apps
