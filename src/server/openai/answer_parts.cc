#include "server/openai/answer_parts.h"

#include <algorithm>

#include "base/utf8.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;

constexpr double kImpossible = -9999.0;

json::object token_object(const engine::TokenLogprob& entry) {
  json::array bytes;
  bytes.reserve(entry.bytes.size());
  for (const char c : entry.bytes) bytes.push_back(static_cast<unsigned>(static_cast<unsigned char>(c)));
  return {{"token", replace_invalid_utf8(entry.bytes)},
          {"logprob", finite_logprob(entry.logprob)},
          {"bytes", std::move(bytes)}};
}

double ratio(double dividend, double divisor) { return divisor > 0 ? dividend / divisor : 0; }

}  // namespace

std::string_view finish_name(engine::FinishReason reason) {
  return reason == engine::FinishReason::kStop ? "stop" : "length";
}

json::object usage_object(const engine::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.generated_tokens},
          {"total_tokens", usage.prompt_tokens + usage.generated_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

json::object timings_object(const engine::Usage& usage) {
  const auto read =
      static_cast<double>(usage.prompt_tokens - std::min(usage.cached_tokens, usage.prompt_tokens));
  const auto written = static_cast<double>(usage.generated_tokens);
  const double prompt_ms = usage.prefill_seconds * 1e3;
  const double predicted_ms = usage.decode_seconds * 1e3;
  return {{"cache_n", usage.cached_tokens},
          {"prompt_n", static_cast<std::int64_t>(read)},
          {"prompt_ms", prompt_ms},
          {"prompt_per_token_ms", ratio(prompt_ms, read)},
          {"prompt_per_second", ratio(read, usage.prefill_seconds)},
          {"predicted_n", usage.generated_tokens},
          {"predicted_ms", predicted_ms},
          {"predicted_per_token_ms", ratio(predicted_ms, written)},
          {"predicted_per_second", ratio(written, usage.decode_seconds)}};
}

json::object head_object(const AnswerHead& head, std::string_view object) {
  return {{"id", head.id},
          {"object", object},
          {"created", head.created},
          {"model", head.model},
          {"system_fingerprint", head.fingerprint}};
}

double finite_logprob(float logprob) {
  return logprob > kImpossible ? static_cast<double>(logprob) : kImpossible;
}

json::array logprob_content(std::span<const engine::Logprobs> tokens) {
  json::array content;
  for (const engine::Logprobs& entry : tokens) {
    json::object token = token_object(entry.chosen);
    json::array top;
    for (const engine::TokenLogprob& other : entry.top) top.push_back(token_object(other));
    token["top_logprobs"] = std::move(top);
    content.push_back(std::move(token));
  }
  return content;
}

std::size_t kept_tokens(const engine::GenerationResult& result, std::size_t seen) {
  return std::min(result.ids.size(), seen);
}

}  // namespace carat::server::openai
