#include "server/ollama/answer.h"

#include <boost/json/serialize.hpp>
#include <chrono>
#include <cmath>
#include <utility>
#include <variant>

#include "base/utc_text.h"

namespace carat::server::ollama {
namespace {

namespace json = boost::json;

json::object part(const AnswerHead& head, AnswerKind kind, std::string_view text, bool done) {
  json::object body = {{"model", head.model}, {"created_at", utc_time(head.created)}};
  if (kind == AnswerKind::kChat) {
    body["message"] = {{"role", "assistant"}, {"content", text}};
  } else {
    body["response"] = text;
  }
  body["done"] = done;
  return body;
}

std::int64_t nanoseconds(double seconds) { return std::llround(seconds * 1e9); }

// The counters of the last line; times in nanoseconds.
void add_counters(json::object& body, const engine::GenerationResult& result) {
  const engine::Usage& usage = result.usage;
  body["done_reason"] = result.finish == engine::FinishReason::kStop ? "stop" : "length";
  body["total_duration"] = nanoseconds(usage.queue_seconds + usage.prefill_seconds + usage.decode_seconds);
  body["load_duration"] = 0;
  body["prompt_eval_count"] = usage.prompt_tokens;
  body["prompt_eval_duration"] = nanoseconds(usage.prefill_seconds);
  body["eval_count"] = usage.generated_tokens;
  body["eval_duration"] = nanoseconds(usage.decode_seconds);
}

class Format final : public AnswerFormat {
 public:
  Format(AnswerHead head, AnswerKind kind, bool stream)
      : head_(std::move(head)), kind_(kind), stream_(stream) {}

  Transport transport() const override { return stream_ ? Transport::kLines : Transport::kWhole; }
  ErrorShape error_shape() const override { return ErrorShape::kOllama; }

  void on_event(std::size_t, const engine::Event& event, Texts& out) override {
    if (!stream_) return;
    if (const auto* token = std::get_if<engine::TokenEvent>(&event)) add_text(token->text, out);
    if (const auto* rest = std::get_if<engine::TrailingText>(&event)) add_text(rest->text, out);
  }

  void on_result(std::size_t, const engine::GenerationResult& result, Texts& out) override {
    json::object body = part(head_, kind_, stream_ ? std::string_view() : result.text, true);
    add_counters(body, result);
    out.emplace_back(json::serialize(body));
  }

  void finish(Texts&) override {}

 private:
  void add_text(const std::string& text, Texts& out) const {
    if (!text.empty()) out.emplace_back(json::serialize(part(head_, kind_, text, false)));
  }

  AnswerHead head_;
  AnswerKind kind_;
  bool stream_;
};

}  // namespace

std::unique_ptr<AnswerFormat> make_format(AnswerHead head, AnswerKind kind, bool stream) {
  return std::make_unique<Format>(std::move(head), kind, stream);
}

json::object empty_answer(const AnswerHead& head, AnswerKind kind, std::string_view reason) {
  json::object body = part(head, kind, {}, true);
  body["done_reason"] = reason;
  return body;
}

std::string utc_time(std::int64_t seconds) {
  return utc_text(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
}

}  // namespace carat::server::ollama
