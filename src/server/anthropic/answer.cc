#include "server/anthropic/answer.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>
#include <variant>

namespace carat::server::anthropic {
namespace {

namespace json = boost::json;
using engine::GenerationResult;

json::object message_object(const AnswerHead& head, json::array content) {
  return {{"id", head.id},
          {"type", "message"},
          {"role", "assistant"},
          {"model", head.model},
          {"content", std::move(content)},
          {"stop_reason", nullptr},
          {"stop_sequence", nullptr}};
}

// Tokens found in the cache are counted by themselves.
json::object usage_object(std::size_t prompt_tokens, std::size_t cached_tokens, std::size_t output_tokens) {
  return {{"input_tokens", prompt_tokens - cached_tokens},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", cached_tokens},
          {"output_tokens", output_tokens}};
}

using StopSequences = std::vector<std::string>;

void add_stop(json::object& out, const GenerationResult& result, const StopSequences& asked) {
  out["stop_reason"] = "end_turn";
  out["stop_sequence"] = nullptr;
  if (result.finish != engine::FinishReason::kStop) {
    out["stop_reason"] = "max_tokens";
  } else if (std::ranges::find(asked, result.stop_string) != asked.end()) {
    out["stop_reason"] = "stop_sequence";
    out["stop_sequence"] = result.stop_string;
  }
}

class Whole final : public AnswerFormat {
 public:
  Whole(AnswerHead head, StopSequences stops) : head_(std::move(head)), stops_(std::move(stops)) {}

  Transport transport() const override { return Transport::kWhole; }
  ErrorShape error_shape() const override { return ErrorShape::kAnthropic; }
  void on_event(std::size_t, const engine::Event&, Texts&) override {}

  void on_result(std::size_t, const GenerationResult& result, Texts& out) override {
    json::object body = message_object(head_, {{{"type", "text"}, {"text", result.text}}});
    add_stop(body, result, stops_);
    const engine::Usage& usage = result.usage;
    body["usage"] = usage_object(usage.prompt_tokens, usage.cached_tokens, usage.generated_tokens);
    out.emplace_back(json::serialize(body));
  }

  void finish(Texts&) override {}

 private:
  AnswerHead head_;
  StopSequences stops_;
};

class Stream final : public AnswerFormat {
 public:
  Stream(AnswerHead head, StopSequences stops) : head_(std::move(head)), stops_(std::move(stops)) {}

  Transport transport() const override { return Transport::kEvents; }
  ErrorShape error_shape() const override { return ErrorShape::kAnthropic; }

  void on_event(std::size_t, const engine::Event& event, Texts& out) override {
    if (const auto* admitted = std::get_if<engine::Admitted>(&event)) {
      json::object message = message_object(head_, {});
      message["usage"] = usage_object(admitted->prompt_tokens, admitted->cached_tokens, 0);
      emit(out, "message_start", {{"message", std::move(message)}});
      emit(out, "content_block_start", {{"index", 0}, {"content_block", {{"type", "text"}, {"text", ""}}}});
    } else if (const auto* token = std::get_if<engine::TokenEvent>(&event)) {
      add_text(token->text, out);
    } else if (const auto* rest = std::get_if<engine::TrailingText>(&event)) {
      add_text(rest->text, out);
    }
  }

  void on_result(std::size_t, const GenerationResult& result, Texts& out) override {
    emit(out, "content_block_stop", {{"index", 0}});
    json::object delta;
    add_stop(delta, result, stops_);
    emit(out, "message_delta",
         {{"delta", std::move(delta)}, {"usage", {{"output_tokens", result.usage.generated_tokens}}}});
    emit(out, "message_stop", {});
  }

  void finish(Texts&) override {}

 private:
  static void emit(Texts& out, std::string_view event, json::object fields) {
    fields["type"] = event;
    out.emplace_back(json::serialize(fields), event);
  }
  static void add_text(const std::string& text, Texts& out) {
    if (text.empty()) return;
    emit(out, "content_block_delta", {{"index", 0}, {"delta", {{"type", "text_delta"}, {"text", text}}}});
  }

  AnswerHead head_;
  StopSequences stops_;
};

}  // namespace

std::unique_ptr<AnswerFormat> make_format(AnswerHead head, bool stream,
                                          std::vector<std::string> stop_sequences) {
  if (stream) return std::make_unique<Stream>(std::move(head), std::move(stop_sequences));
  return std::make_unique<Whole>(std::move(head), std::move(stop_sequences));
}

}  // namespace carat::server::anthropic
