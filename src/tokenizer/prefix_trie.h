#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/token_id.h"

namespace carat::tokenizer {

// The longest of a set of strings that a text starts with. Cost: bytes compared, times the siblings passed
// over, which for Gemma 3's added tokens are few.
class PrefixTrie {
 public:
  struct Match {
    std::size_t length = 0;  // bytes; 0: none of the strings is a prefix
    TokenId id = -1;
  };

  PrefixTrie();

  // `text` is not empty; of two equal texts the first id stays.
  void insert(std::string_view text, TokenId id);

  bool may_start_with(char first) const { return roots_[static_cast<unsigned char>(first)] != kNone; }
  Match longest_prefix(std::string_view text) const;

 private:
  static constexpr std::uint32_t kNone = ~0U;
  struct Node {
    std::uint32_t first_child = kNone;
    std::uint32_t next_sibling = kNone;
    TokenId id = -1;  // -1: only the beginning of strings
    char byte = 0;
  };

  std::uint32_t child(std::uint32_t parent, char byte) const;
  std::uint32_t child_or_new(std::uint32_t parent, char byte);

  std::vector<Node> nodes_;
  std::array<std::uint32_t, 256> roots_;  // by first byte
};

}  // namespace carat::tokenizer
