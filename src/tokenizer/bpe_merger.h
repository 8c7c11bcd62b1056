#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/token_id.h"
#include "tokenizer/vocabulary.h"

namespace carat::tokenizer {

// Byte-pair merging of one stretch of text in which no added token occurs. Neighbours whose texts together
// are a piece merge, the piece of lowest rank first, on ties the leftmost. A heap holds the candidates: n
// characters cost O(n log n). Which two parts a piece is put together from never matters to the order: as
// long as nothing outside its span interferes, equal spans split the same way. Reuses its buffers; one per
// encoding call.
class BpeMerger {
 public:
  static constexpr std::size_t kMaxTextBytes = std::size_t{16} << 20;

  BpeMerger(const Vocabulary& vocabulary, TokenId unknown) : vocabulary_(vocabulary), unknown_(unknown) {}

  // Appends the ids of `text`: valid UTF-8 without U+2581, at most kMaxTextBytes.
  void encode(std::string_view text, std::vector<TokenId>& out);

  std::size_t operations() const {
    return operations_;
  }  // candidates looked up and taken off the heap so far

 private:
  static constexpr std::uint32_t kEnd = ~0U;
  struct Symbol {
    std::uint32_t begin = 0;   // byte offset
    std::uint32_t length = 0;  // bytes; 0 once merged into its left neighbour
    std::uint32_t previous = kEnd;
    std::uint32_t next = kEnd;
    TokenId id = -1;  // -1: a character that is no piece
  };

  void split(std::string_view text);
  void push_candidate(std::string_view text, std::uint32_t left);
  void merge_all(std::string_view text);
  void emit(std::string_view text, std::vector<TokenId>& out) const;

  const Vocabulary& vocabulary_;
  TokenId unknown_;
  std::vector<Symbol> symbols_;
  std::vector<std::uint64_t> heap_;
  std::size_t operations_ = 0;
};

}  // namespace carat::tokenizer
