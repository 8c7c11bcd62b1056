#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/token_id.h"

namespace carat {

// A view of a set of tokens as words of bits: bit i % 32 of word i / 32 is token i. Tokens beyond the last
// word are not in it; without any word it holds every token.
class TokenSet {
 public:
  static constexpr std::size_t kWordBits = 32;

  TokenSet() = default;
  explicit TokenSet(std::span<const std::uint32_t> words) : words_(words) {}

  bool is_everything() const { return words_.empty(); }
  std::span<const std::uint32_t> words() const { return words_; }
  bool contains(TokenId token) const {
    if (words_.empty()) return true;
    const auto index = static_cast<std::size_t>(token);
    return token >= 0 && index / kWordBits < words_.size() &&
           ((words_[index / kWordBits] >> (index % kWordBits)) & 1U) != 0;
  }

 private:
  std::span<const std::uint32_t> words_;
};

}  // namespace carat
