#include "server/openai/completion_logprobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "server/openai/answer_parts.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;

// Continuation bytes begin no character.
std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace

std::string completion_token(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string text = "bytes:";
  for (const char c : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return text;
}

void CompletionLogprobs::add(std::string_view bytes, const std::optional<engine::Logprobs>& logprobs,
                             bool is_in_text) {
  tokens_.emplace_back(completion_token(bytes));
  text_offset_.emplace_back(characters_);
  if (is_in_text) characters_ += count_characters(bytes);
  if (!logprobs) {
    token_logprobs_.emplace_back(nullptr);
    top_logprobs_.emplace_back(nullptr);
    return;
  }
  token_logprobs_.emplace_back(finite_logprob(logprobs->chosen.logprob));
  json::object top;
  // Two tokens may be spelled alike: the likelier one stands.
  for (const engine::TokenLogprob& entry : logprobs->top)
    top.emplace(completion_token(entry.bytes), finite_logprob(entry.logprob));
  top.emplace(completion_token(bytes), finite_logprob(logprobs->chosen.logprob));
  top_logprobs_.emplace_back(std::move(top));
}

json::object CompletionLogprobs::take() {
  return {{"tokens", std::exchange(tokens_, {})},
          {"token_logprobs", std::exchange(token_logprobs_, {})},
          {"top_logprobs", std::exchange(top_logprobs_, {})},
          {"text_offset", std::exchange(text_offset_, {})}};
}

}  // namespace carat::server::openai
