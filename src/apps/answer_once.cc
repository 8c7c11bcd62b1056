#include "apps/answer_once.h"

#include <unistd.h>

#include <utility>
#include <variant>
#include <vector>

#include "apps/answer_json.h"
#include "apps/load_image.h"
#include "apps/open_model.h"
#include "base/output_file.h"
#include "session/local_turn_runner.h"
#include "terminal/progress_line.h"
#include "terminal/usage_line.h"

namespace carat::apps {
namespace {

using engine::GenerationResult;
using prompt::Message;
using prompt::Role;

// Takes the events of one answer: shows its text and keeps its log-probabilities.
class AnswerPrinter {
 public:
  AnswerPrinter(Runtime& runtime, bool show_text)
      : show_text_(show_text),
        progress_(runtime.clock, progress_writer()),
        interrupt_(runtime.interrupts.token(), [this] { stop_.request_stop(); }) {}

  void operator()(const engine::Event& event) {
    if (const auto* prefill = std::get_if<engine::PrefillProgress>(&event)) {
      progress_.update("reading the prompt", prefill->done, prefill->total);
    } else if (const auto* look = std::get_if<engine::ImageProgress>(&event)) {
      progress_.update("looking at the images", look->done, look->total);
    } else if (const auto* token = std::get_if<engine::TokenEvent>(&event)) {
      if (token->logprobs) logprobs_.push_back(*token->logprobs);
      show(token->text);
    } else if (const auto* rest = std::get_if<engine::TrailingText>(&event)) {
      show(rest->text);
    }
  }

  std::stop_token stop_token() const { return stop_.get_token(); }
  const Result<>& printed() const { return printed_; }
  const std::vector<engine::Logprobs>& logprobs() const { return logprobs_; }

 private:
  // When nobody reads any more, there is nothing to go on for.
  void show(const std::string& text) {
    progress_.clear();
    if (!show_text_ || text.empty() || !printed_) return;
    printed_ = print(text);
    if (!printed_) stop_.request_stop();
  }

  bool show_text_;
  terminal::ProgressLine progress_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> interrupt_;
  Result<> printed_;
  std::vector<engine::Logprobs> logprobs_;
};

Result<GenerationResult> generate(Runtime& runtime, const Question& question,
                                  const std::vector<prompt::Image>& images, engine::LoadedModel& model,
                                  engine::Engine& engine, AnswerPrinter& printer) {
  const auto sink = [&](const engine::Event& event) { printer(event); };
  if (question.raw) {
    std::vector<prompt::Piece> pieces(images.begin(), images.end());
    pieces.emplace_back(prompt::PlainText{question.prompt});
    return engine::generate(
        engine,
        {.prompt = std::move(pieces), .sampling = question.sampling, .adapters = model.default_adapters},
        sink, printer.stop_token());
  }
  std::vector<Message> messages;
  const std::string system = runtime.settings.text(config::Setting::kSystem);
  if (!system.empty()) messages.push_back({Role::kSystem, system, {}});
  messages.push_back({.role = Role::kUser, .text = question.prompt, .images = images});
  const chat::PromptStyle style = prompt_style(runtime, model);
  prompt::SamplingParams sampling = question.sampling;
  sampling.temperature = static_cast<float>(settings_for(runtime, style).real(config::Setting::kTemperature));
  session::LocalTurnRunner runner(model, engine, style);
  return runner.answer(messages, sampling, sink, printer.stop_token());
}

}  // namespace

Result<> answer_once(Runtime& runtime, const Question& question) {
  // Before the weights, which take longer.
  CARAT_TRY(const std::vector<prompt::Image> images,
            load_images(image_decoder(runtime.settings), question.images, question.pan_and_scan,
                        runtime.interrupts.token()));
  CARAT_TRY(const auto model, open_model(runtime, {.adapters = question.adapters,
                                                   .sees_images = !images.empty(),
                                                   .needs_images = !images.empty()}));
  CARAT_TRY(const auto engine, make_engine(runtime, *model));
  AnswerPrinter printer(runtime, !question.json);
  CARAT_TRY(const GenerationResult result, generate(runtime, question, images, *model, *engine, printer));
  CARAT_TRY_VOID(printer.printed());
  if (question.json) {
    CARAT_TRY_VOID(
        write_all(STDOUT_FILENO, "standard output", answer_json(*model, result, printer.logprobs()) + "\n"));
  } else if (!result.text.empty() && !result.text.ends_with('\n')) {
    CARAT_TRY_VOID(print("\n"));
  }
  if (runtime.settings.is_on(config::Setting::kStats)) note(terminal::describe_usage(result.usage));
  if (result.context_full)
    note("the answer stopped because the context is full; --context N makes it longer");
  if (result.finish == engine::FinishReason::kInterrupted)
    return fail(ErrorKind::kInterrupted, "interrupted");
  return {};
}

}  // namespace carat::apps
