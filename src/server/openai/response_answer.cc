#include "server/openai/response_answer.h"

#include <boost/json/serialize.hpp>
#include <cstddef>
#include <utility>
#include <variant>

#include "session/kept_answer.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using engine::GenerationResult;

ResponseState state_at_end(const GenerationResult& result) {
  ResponseState state = state_of(session::status_of(result), session::finish_reason_of(result));
  state.text = result.text;
  state.usage = ResponseUsage{.input_tokens = static_cast<std::int64_t>(result.usage.prompt_tokens),
                              .cached_tokens = static_cast<std::int64_t>(result.usage.cached_tokens),
                              .output_tokens = static_cast<std::int64_t>(result.usage.generated_tokens)};
  return state;
}

class ResponseWhole final : public AnswerFormat {
 public:
  explicit ResponseWhole(ResponseHead head) : head_(std::move(head)) {}

  Transport transport() const override { return Transport::kWhole; }
  void on_event(std::size_t, const engine::Event&, Texts&) override {}
  void on_result(std::size_t, const GenerationResult& result, Texts& out) override {
    out.emplace_back(json::serialize(response_object(head_, state_at_end(result))));
  }
  void finish(Texts&) override {}
  ErrorShape error_shape() const override { return ErrorShape::kOpenAi; }

 private:
  ResponseHead head_;
};

class ResponseStream final : public AnswerFormat {
 public:
  explicit ResponseStream(ResponseHead head) : head_(std::move(head)) {}

  Transport transport() const override { return Transport::kEvents; }

  void on_event(std::size_t, const engine::Event& event, Texts& out) override {
    if (std::holds_alternative<engine::Admitted>(event)) {
      begin(out);
    } else if (const auto* token = std::get_if<engine::TokenEvent>(&event)) {
      add_text(token->text, out);
    } else if (const auto* rest = std::get_if<engine::TrailingText>(&event)) {
      add_text(rest->text, out);
    }
  }

  void on_result(std::size_t, const GenerationResult& result, Texts& out) override {
    const ResponseState state = state_at_end(result);
    emit("response.output_text.done", with_place({{"text", text_}, {"logprobs", json::array()}}), out);
    emit("response.content_part.done", with_place({{"part", output_part(text_)}}), out);
    emit("response.output_item.done",
         {{"output_index", 0}, {"item", output_item(head_, state.status, &text_)}}, out);
    const bool is_complete = state.status == "completed";
    emit(is_complete ? "response.completed" : "response.incomplete", whole(state), out);
  }

  void finish(Texts&) override {}
  ErrorShape error_shape() const override { return ErrorShape::kOpenAi; }

  void on_error(const ApiError& error, Texts& out) override {
    ResponseState state{.status = "failed", .error = error};
    if (!text_.empty()) state.text = text_;
    emit("response.failed", whole(state), out);
  }

 private:
  void begin(Texts& out) {
    emit("response.created", whole({}), out);
    emit("response.in_progress", whole({}), out);
    emit("response.output_item.added",
         {{"output_index", 0}, {"item", output_item(head_, "in_progress", nullptr)}}, out);
    emit("response.content_part.added", with_place({{"part", output_part("")}}), out);
  }

  void add_text(const std::string& text, Texts& out) {
    if (text.empty()) return;
    text_ += text;
    emit("response.output_text.delta", with_place({{"delta", text}, {"logprobs", json::array()}}), out);
  }

  json::object whole(const ResponseState& state) const {
    return {{"response", response_object(head_, state)}};
  }

  json::object with_place(json::object event) const {
    event["item_id"] = head_.item_id();
    event["output_index"] = 0;
    event["content_index"] = 0;
    return event;
  }

  void emit(std::string_view type, json::object event, Texts& out) {
    event["type"] = type;
    event["sequence_number"] = sequence_++;
    out.emplace_back(json::serialize(event), type);
  }

  ResponseHead head_;
  std::string text_;
  std::size_t sequence_ = 0;
};

}  // namespace

std::unique_ptr<AnswerFormat> make_response_format(ResponseHead head, bool streams) {
  if (streams) return std::make_unique<ResponseStream>(std::move(head));
  return std::make_unique<ResponseWhole>(std::move(head));
}

}  // namespace carat::server::openai
