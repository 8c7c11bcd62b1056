#include "grammar/token_table.h"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "base/utf8.h"

namespace carat::grammar {
namespace {

constexpr std::size_t kWordBits = 32;

xgrammar::TokenizerInfo make_info(const TokenTexts& vocabulary) {
  return {vocabulary.texts, xgrammar::VocabType::RAW, std::nullopt, vocabulary.stop};
}

void set(std::vector<std::uint32_t>& mask, std::size_t id) { mask[id / kWordBits] |= 1U << (id % kWordBits); }

bool is_plain(std::string_view text) {
  const bool special = std::ranges::any_of(
      text, [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' '; });
  return !special && text.size() <= std::numeric_limits<std::uint8_t>::max() && is_valid_utf8(text);
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

// Whether a byte piece stands for a character that has a piece of its own: models never write it so, and a
// mask with both would never leave one token only.
bool is_spare_byte(const tokenizer::Tokenizer& tokenizer, TokenId id) {
  if (!tokenizer.is_byte(id) || static_cast<unsigned char>(tokenizer.piece(id)[0]) >= 0x80) return false;
  const auto ids = tokenizer.encode(tokenizer.piece(id), tokenizer::ControlTokens::kAsText);
  return ids.size() == 1 && ids[0] != id;
}

}  // namespace

TokenTexts TokenTable::texts(const tokenizer::Tokenizer& tokenizer) {
  TokenTexts out;
  out.texts.resize(tokenizer.size());
  for (std::size_t i = 0; i < tokenizer.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const tokenizer::PieceKind kind = tokenizer.vocabulary().kind(id);
    if (tokenizer.is_end_of_generation(id)) out.stop.push_back(id);
    if (kind == tokenizer::PieceKind::kControl || kind == tokenizer::PieceKind::kUnused) continue;
    if (!is_spare_byte(tokenizer, id)) out.texts[i] = tokenizer.piece(id);
  }
  return out;
}

TokenTable::TokenTable(std::shared_ptr<const tokenizer::Tokenizer> tokenizer)
    : tokenizer_(std::move(tokenizer)),
      usable_((tokenizer_->size() + kWordBits - 1) / kWordBits),
      plain_(usable_.size()),
      characters_(tokenizer_->size()),
      info_(make_info(texts(*tokenizer_))) {
  const TokenTexts vocabulary = texts(*tokenizer_);
  for (std::size_t i = 0; i < vocabulary.texts.size(); ++i) {
    const std::string& text = vocabulary.texts[i];
    if (text.empty()) continue;
    set(usable_, i);
    if (!is_plain(text)) continue;
    set(plain_, i);
    characters_[i] = static_cast<std::uint8_t>(count_characters(text));
    most_characters_ = std::max<std::size_t>(most_characters_, characters_[i]);
  }
  for (const TokenId id : vocabulary.stop) set(usable_, static_cast<std::size_t>(id));
}

}  // namespace carat::grammar
