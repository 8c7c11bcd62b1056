#include "server/openai/completion_answer.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <utility>
#include <variant>

#include "server/openai/answer_parts.h"
#include "server/openai/completion_logprobs.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using engine::GenerationResult;

// One text in the making, with the tokens whose log-probabilities are not written yet.
class Completion {
 public:
  // The prompt, where it is echoed.
  void begin(const EchoedPrompt& echo) {
    text_ = echo.text;
    gains_bos_ = echo.gains_bos;
  }

  void add(const engine::PromptTokensEvent& event) {
    for (std::size_t i = 0; i < event.entries.size(); ++i) {
      const engine::PromptTokensEvent::Entry& entry = event.entries[i];
      logprobs_.add(entry.bytes, entry.logprobs, !gains_bos_ || event.first + i > 0);
    }
  }
  void add(const engine::TokenEvent& event) {
    text_ += event.text;
    if (event.logprobs) pending_.push_back(event);
  }
  void add(const engine::TrailingText& event) { text_ += event.text; }

  // The tokens so far belong to the text that was sent.
  void settle(std::size_t most) {
    const std::size_t count = std::min(pending_.size(), most);
    for (std::size_t i = 0; i < count; ++i) logprobs_.add(pending_[i].bytes, pending_[i].logprobs);
    settled_ += count;
    pending_.clear();
  }
  // The answer is over: tokens of a stop string are not part of it.
  void settle(const GenerationResult& result) { settle(std::max(result.ids.size(), settled_) - settled_); }

  std::string take_text() { return std::exchange(text_, {}); }
  json::value take_logprobs(bool wanted) {
    return wanted ? json::value(logprobs_.take()) : json::value(nullptr);
  }

 private:
  std::string text_;
  bool gains_bos_ = false;
  CompletionLogprobs logprobs_;
  std::vector<engine::TokenEvent> pending_;
  std::size_t settled_ = 0;
};

class CompletionFormat : public AnswerFormat {
 public:
  CompletionFormat(AnswerHead head, const GenerationOptions& options, std::size_t prompts,
                   const std::vector<EchoedPrompt>& echo)
      : head_(std::move(head)),
        wants_logprobs_(options.sampling.logprobs.has_value()),
        choices_of_prompt_(options.choices),
        choices_(prompts * options.choices) {
    for (std::size_t i = 0; i < choices_.size() && !echo.empty(); ++i)
      choices_[i].begin(echo[i / choices_of_prompt_]);
  }

  void on_event(std::size_t choice, const engine::Event& event, Texts&) override {
    Completion& own = choices_[choice];
    if (const auto* tokens = std::get_if<engine::PromptTokensEvent>(&event)) own.add(*tokens);
    if (const auto* token = std::get_if<engine::TokenEvent>(&event)) own.add(*token);
    if (const auto* rest = std::get_if<engine::TrailingText>(&event)) own.add(*rest);
  }

  ErrorShape error_shape() const override { return ErrorShape::kOpenAi; }

 protected:
  static constexpr std::string_view kObject = "text_completion";

  void count(std::size_t choice, const GenerationResult& result) {
    usage_.add(result.usage, choice % choices_of_prompt_ == 0);
    choices_[choice].settle(result);
  }

  json::object take_choice(std::size_t choice, json::value finish) {
    Completion& own = choices_[choice];
    return {{"text", own.take_text()},
            {"index", choice},
            {"logprobs", own.take_logprobs(wants_logprobs_)},
            {"finish_reason", std::move(finish)}};
  }

  AnswerHead head_;
  bool wants_logprobs_;
  std::size_t choices_of_prompt_;
  std::vector<Completion> choices_;
  UsageTotal usage_;
};

class CompletionWhole final : public CompletionFormat {
 public:
  CompletionWhole(AnswerHead head, const GenerationOptions& options, std::size_t prompts,
                  const std::vector<EchoedPrompt>& echo)
      : CompletionFormat(std::move(head), options, prompts, echo), values_(choices_.size()) {}

  Transport transport() const override { return Transport::kWhole; }

  void on_result(std::size_t choice, const GenerationResult& result, Texts&) override {
    count(choice, result);
    values_[choice] = take_choice(choice, json::value(finish_name(result.finish)));
  }

  void finish(Texts& out) override {
    json::object body = head_object(head_, kObject);
    body["choices"] = json::array(values_.begin(), values_.end());
    body["usage"] = usage_object(usage_.total());
    body["seed"] = head_.seed;
    body["timings"] = timings_object(usage_.total());
    out.emplace_back(json::serialize(body));
  }

 private:
  std::vector<json::object> values_;
};

class CompletionStream final : public CompletionFormat {
 public:
  CompletionStream(AnswerHead head, const GenerationOptions& options, std::size_t prompts,
                   const std::vector<EchoedPrompt>& echo)
      : CompletionFormat(std::move(head), options, prompts, echo), include_usage_(options.include_usage) {}

  Transport transport() const override { return Transport::kEvents; }

  void on_event(std::size_t choice, const engine::Event& event, Texts& out) override {
    CompletionFormat::on_event(choice, event, out);
    Completion& own = choices_[choice];
    // The echoed prompt goes with the first text of the answer, when its log-probabilities are known.
    const auto* token = std::get_if<engine::TokenEvent>(&event);
    if (token == nullptr || token->text.empty()) return;
    own.settle(SIZE_MAX);
    out.emplace_back(json::serialize(chunk(choice, nullptr)));
  }

  void on_result(std::size_t choice, const GenerationResult& result, Texts& out) override {
    count(choice, result);
    json::object body = chunk(choice, json::value(finish_name(result.finish)));
    body["seed"] = head_.seed;
    if (++ended_ == choices_.size() && !include_usage_) body["timings"] = timings_object(usage_.total());
    out.emplace_back(json::serialize(body));
  }

  void finish(Texts& out) override {
    if (include_usage_) {
      json::object body = head_object(head_, kObject);
      body["choices"] = json::array();
      body["usage"] = usage_object(usage_.total());
      body["timings"] = timings_object(usage_.total());
      out.emplace_back(json::serialize(body));
    }
    out.emplace_back("[DONE]");
  }

 private:
  json::object chunk(std::size_t choice, const json::value& finish) {
    json::object body = head_object(head_, kObject);
    json::array choices;
    choices.push_back(take_choice(choice, finish));
    body["choices"] = std::move(choices);
    if (include_usage_) body["usage"] = nullptr;
    return body;
  }

  bool include_usage_;
  std::size_t ended_ = 0;
};

}  // namespace

std::unique_ptr<AnswerFormat> make_completion_format(AnswerHead head, const GenerationOptions& options,
                                                     std::size_t prompts,
                                                     const std::vector<EchoedPrompt>& echo) {
  if (options.stream) return std::make_unique<CompletionStream>(std::move(head), options, prompts, echo);
  return std::make_unique<CompletionWhole>(std::move(head), options, prompts, echo);
}

}  // namespace carat::server::openai
