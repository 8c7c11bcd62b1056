#include "apps/answer_json.h"

#include <boost/json.hpp>

#include "terminal/usage_line.h"

namespace carat::apps {
namespace {

namespace json = boost::json;

std::string_view name_of(engine::FinishReason reason) {
  switch (reason) {
    case engine::FinishReason::kStop: return "stop";
    case engine::FinishReason::kLength: return "length";
    case engine::FinishReason::kInterrupted: return "interrupted";
    case engine::FinishReason::kDeadline: return "deadline";
  }
  return "";
}

json::object usage_object(const engine::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"cached_tokens", usage.cached_tokens},
          {"generated_tokens", usage.generated_tokens},
          {"prefill_seconds", usage.prefill_seconds},
          {"decode_seconds", usage.decode_seconds},
          {"prefill_tokens_per_second", terminal::prefill_rate(usage)},
          {"decode_tokens_per_second", terminal::decode_rate(usage)}};
}

json::object logprob_object(const engine::LoadedModel& model, const engine::TokenLogprob& entry) {
  return {{"id", entry.token},
          {"text", model.tokenizer->decode({&entry.token, 1}, /*show_control=*/true)},
          {"logprob", entry.logprob}};
}

}  // namespace

std::string answer_json(const engine::LoadedModel& model, const engine::GenerationResult& result,
                        std::span<const engine::Logprobs> logprobs) {
  json::object root = {{"model", model.name},
                       {"text", result.text},
                       {"ids", json::value_from(result.ids)},
                       {"finish_reason", name_of(result.finish)},
                       {"context_full", result.context_full},
                       {"seed", result.seed},
                       {"usage", usage_object(result.usage)}};
  if (!logprobs.empty()) {
    json::array list;
    for (const engine::Logprobs& entry : logprobs) {
      json::object item = logprob_object(model, entry.chosen);
      json::array top;
      for (const engine::TokenLogprob& other : entry.top) top.push_back(logprob_object(model, other));
      item["top"] = std::move(top);
      list.push_back(std::move(item));
    }
    root["logprobs"] = std::move(list);
  }
  return json::serialize(root);
}

}  // namespace carat::apps
