#include "server/token_estimate.h"

#include <algorithm>
#include <variant>

namespace carat::server {
namespace {

constexpr std::size_t kBytesOfToken = 4;     // English text, roughly
constexpr std::size_t kTokensOfImage = 256;  // of its first view

std::size_t tokens_of(const prompt::Piece& piece) {
  if (const auto* ids = std::get_if<prompt::TokenIds>(&piece)) return ids->ids.size();
  if (const auto* text = std::get_if<prompt::PlainText>(&piece)) return text->text.size() / kBytesOfToken + 1;
  if (const auto* markup = std::get_if<prompt::Markup>(&piece))
    return markup->text.size() / kBytesOfToken + 1;
  return kTokensOfImage;
}

}  // namespace

std::int64_t most_tokens(std::span<const prompt::GenerationRequest> choices, std::size_t choices_of_prompt,
                         std::size_t context_length) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    std::size_t prompt = 0;
    for (const prompt::Piece& piece : choices[i].prompt) prompt += tokens_of(piece);
    prompt = std::min(prompt, context_length);
    const std::size_t room = context_length - prompt;
    sum += std::min<std::size_t>(choices[i].sampling.max_tokens.value_or(room), room);
    if (i % choices_of_prompt == 0) sum += prompt;
  }
  return static_cast<std::int64_t>(sum);
}

}  // namespace carat::server
