#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace carat::tokenizer {

// A hand-made vocabulary in the layout of Gemma 3's, small enough to reason about. As in a GGUF file: added
// tokens are spelled with spaces, scores fall with rising id.
class TinyVocabulary {
 public:
  TinyVocabulary() {
    for (const char* text : {"<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"})
      add(text, 3);
    for (const char* text : {"\n", "\n\n", "  ", "   ", "</s>", "[multimodal]"}) add(text, 4);
    for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte), 6);
    for (const char* text : {"he", "ll", "\u2581w", "or", "hell", "\u2581wor", "hello", "lo", "ld",
                             "\u2581world", "ab", "bc", "abc", "aa", "aaa", "\u00E9a"}) {
      add(text, 1);
    }
    for (const char* text :
         {"\u2581", "h", "e", "l", "o", "w", "r", "d", "a", "b", "c", "\u00E9", "<", ">", "s", "/"}) {
      add(text, 1);
    }
  }

  void add(std::string text, std::int32_t type) {
    texts.push_back(std::move(text));
    scores.push_back(-static_cast<float>(scores.size()));
    types.push_back(type);
  }

  TokenId id(std::string_view text) const {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (texts[i] == text) return static_cast<TokenId>(i);
    }
    return -1;
  }
  std::vector<TokenId> ids(const std::vector<std::string>& pieces) const {
    std::vector<TokenId> out;
    for (const std::string& piece : pieces) out.push_back(id(piece));
    return out;
  }

  Result<std::shared_ptr<const Tokenizer>> build() const {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    return Tokenizer::from_pieces("tiny", {.texts = views, .scores = scores, .types = types});
  }

  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
};

}  // namespace carat::tokenizer
