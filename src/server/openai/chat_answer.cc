#include "server/openai/chat_answer.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "server/openai/answer_parts.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using engine::GenerationResult;

// Null where nobody asked for log-probabilities.
json::value logprobs_value(bool wanted, std::span<const engine::Logprobs> tokens) {
  if (!wanted) return nullptr;
  return json::object{{"content", logprob_content(tokens)}, {"refusal", nullptr}};
}

class ChatWhole final : public AnswerFormat {
 public:
  ChatWhole(AnswerHead head, const GenerationOptions& options)
      : head_(std::move(head)),
        wants_logprobs_(options.sampling.logprobs.has_value()),
        choices_(options.choices) {}

  Transport transport() const override { return Transport::kWhole; }

  void on_event(std::size_t choice, const engine::Event& event, Texts&) override {
    const auto* token = std::get_if<engine::TokenEvent>(&event);
    if (token != nullptr && token->logprobs) choices_[choice].logprobs.push_back(*token->logprobs);
  }

  void on_result(std::size_t choice, const GenerationResult& result, Texts&) override {
    usage_.add(result.usage, choice == 0);
    Choice& own = choices_[choice];
    own.logprobs.resize(kept_tokens(result, own.logprobs.size()));
    own.value = {{"index", choice},
                 {"message", {{"role", "assistant"}, {"content", result.text}, {"refusal", nullptr}}},
                 {"logprobs", logprobs_value(wants_logprobs_, own.logprobs)},
                 {"finish_reason", finish_name(result.finish)}};
  }

  void finish(Texts& out) override {
    json::object body = head_object(head_, "chat.completion");
    json::array choices;
    for (Choice& choice : choices_) choices.push_back(std::move(choice.value));
    body["choices"] = std::move(choices);
    body["usage"] = usage_object(usage_.total());
    body["seed"] = head_.seed;
    body["timings"] = timings_object(usage_.total());
    out.emplace_back(json::serialize(body));
  }

  ErrorShape error_shape() const override { return ErrorShape::kOpenAi; }

 private:
  struct Choice {
    std::vector<engine::Logprobs> logprobs;
    json::object value;
  };

  AnswerHead head_;
  bool wants_logprobs_;
  std::vector<Choice> choices_;
  UsageTotal usage_;
};

class ChatStream final : public AnswerFormat {
 public:
  ChatStream(AnswerHead head, const GenerationOptions& options)
      : head_(std::move(head)),
        wants_logprobs_(options.sampling.logprobs.has_value()),
        include_usage_(options.include_usage),
        return_progress_(options.return_progress),
        choices_(options.choices) {}

  Transport transport() const override { return Transport::kEvents; }

  void on_event(std::size_t choice, const engine::Event& event, Texts& out) override {
    if (const auto* admitted = std::get_if<engine::Admitted>(&event)) {
      cached_tokens_ = admitted->cached_tokens;
      prompt_tokens_ = admitted->prompt_tokens;
      out.emplace_back(chunk(choice, {{"role", "assistant"}, {"content", ""}}, 0, nullptr));
    } else if (const auto* prefill = std::get_if<engine::PrefillProgress>(&event)) {
      if (return_progress_) out.emplace_back(progress(choice, *prefill));
    } else if (const auto* token = std::get_if<engine::TokenEvent>(&event)) {
      if (token->logprobs) choices_[choice].pending.push_back(*token->logprobs);
      add_text(choice, token->text, out);
    } else if (const auto* rest = std::get_if<engine::TrailingText>(&event)) {
      choices_[choice].trailing += rest->text;
    }
  }

  void on_result(std::size_t choice, const GenerationResult& result, Texts& out) override {
    usage_.add(result.usage, choice == 0);
    Choice& own = choices_[choice];
    const std::size_t kept = kept_tokens(result, own.sent + own.pending.size());
    own.pending.resize(std::max(kept, own.sent) - own.sent);
    if (!own.trailing.empty()) add_text(choice, own.trailing, out);
    ++ended_;
    const bool is_last = ended_ == choices_.size() && !include_usage_;
    json::object body = chunk_object(choice, {}, own.pending.size(), json::value(finish_name(result.finish)));
    body["seed"] = head_.seed;
    if (is_last) body["timings"] = timings_object(usage_.total());
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

  ErrorShape error_shape() const override { return ErrorShape::kOpenAi; }

 private:
  static constexpr std::string_view kObject = "chat.completion.chunk";

  struct Choice {
    std::vector<engine::Logprobs> pending;  // of tokens whose text was not sent yet
    std::size_t sent = 0;                   // tokens with log-probabilities before those
    std::string trailing;
  };

  void add_text(std::size_t choice, const std::string& text, Texts& out) {
    if (text.empty()) return;
    out.emplace_back(chunk(choice, {{"content", text}}, choices_[choice].pending.size(), nullptr));
  }

  // Takes the first `tokens` of the pending log-probabilities along.
  json::object chunk_object(std::size_t choice, json::object delta, std::size_t tokens,
                            const json::value& finish) {
    Choice& own = choices_[choice];
    json::object body = head_object(head_, kObject);
    const std::span<const engine::Logprobs> taken(own.pending.data(), tokens);
    json::array choices;
    choices.push_back(json::object{{"index", choice},
                                   {"delta", std::move(delta)},
                                   {"logprobs", logprobs_value(wants_logprobs_ && tokens > 0, taken)},
                                   {"finish_reason", finish}});
    body["choices"] = std::move(choices);
    if (include_usage_) body["usage"] = nullptr;
    own.sent += tokens;
    own.pending.erase(own.pending.begin(), own.pending.begin() + static_cast<std::ptrdiff_t>(tokens));
    return body;
  }
  std::string chunk(std::size_t choice, json::object delta, std::size_t tokens, const json::value& finish) {
    return json::serialize(chunk_object(choice, std::move(delta), tokens, finish));
  }

  std::string progress(std::size_t choice, const engine::PrefillProgress& prefill) {
    json::object body = chunk_object(choice, {}, 0, nullptr);
    body["prompt_progress"] = {
        {"total", prompt_tokens_}, {"cache", cached_tokens_}, {"processed", cached_tokens_ + prefill.done}};
    return json::serialize(body);
  }

  AnswerHead head_;
  bool wants_logprobs_;
  bool include_usage_;
  bool return_progress_;
  std::vector<Choice> choices_;
  std::size_t prompt_tokens_ = 0;
  std::size_t cached_tokens_ = 0;
  std::size_t ended_ = 0;
  UsageTotal usage_;
};

}  // namespace

std::unique_ptr<AnswerFormat> make_chat_format(AnswerHead head, const GenerationOptions& options) {
  if (options.stream) return std::make_unique<ChatStream>(std::move(head), options);
  return std::make_unique<ChatWhole>(std::move(head), options);
}

}  // namespace carat::server::openai
