#include "engine/answer_text.h"

#include <algorithm>
#include <ranges>
#include <string_view>

namespace carat::engine {

std::string AnswerText::add(TokenId id) {
  ids_.push_back(id);
  const std::string text = decoder_.push(id);
  if (text.empty()) return {};
  decoded_bytes_ += text.size();
  borders_.push_back({ids_.size(), decoded_bytes_});
  return show(matcher_.add(text));
}

std::string AnswerText::finish() {
  if (stopped()) return {};
  const std::string incomplete = decoder_.finish();
  std::string text = matcher_.add(incomplete);
  if (!stopped()) text += matcher_.finish();
  return show(std::move(text));
}

std::string AnswerText::show(std::string text) {
  shown_ += text;
  return text;
}

std::vector<TokenId> AnswerText::ids() const {
  if (!stopped()) return ids_;
  Border last;
  for (const Border& border : borders_ | std::views::reverse) {
    if (border.bytes > shown_.size()) continue;
    last = border;
    break;
  }
  std::vector<TokenId> ids(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(last.ids));
  const std::string_view rest = std::string_view(shown_).substr(last.bytes);
  std::ranges::copy(tokenizer_->encode(rest, tokenizer::ControlTokens::kAsText), std::back_inserter(ids));
  return ids;
}

}  // namespace carat::engine
