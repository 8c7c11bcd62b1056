#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token_id.h"
#include "tokenizer/piece_table.h"
#include "tokenizer/piece_texts.h"
#include "tokenizer/prefix_trie.h"

namespace carat::tokenizer {

enum class PieceKind : std::uint8_t {
  kNormal,   // comes about by merging
  kControl,  // found as a whole, but only where the caller asks for control tokens
  kAdded,    // found as a whole in any text: newline runs, HTML tags
  kByte,     // one byte of a character that has no piece
  kUnused,   // never produced
};

inline constexpr std::uint32_t kNoRank = ~0U;

// What every source of a vocabulary is brought to. One entry a piece, by id.
struct VocabularyParts {
  std::vector<std::string_view> texts;  // with U+2581 for spaces; byte pieces as <0xHH>
  std::vector<PieceKind> kinds;
  std::vector<std::uint32_t> merge_ranks;  // no two alike, lower is merged first; kNoRank: by no merge
};

// Bounds on their number and bytes. kInvalidModel, naming the piece.
Result<> check_sizes(const std::string& source, std::span<const std::string_view> texts);

// The pieces, and the three ways in which encoding finds them: as added or control token at a place in the
// text, as the result of a merge, as a byte. Immutable once built.
//
// Texts are kept as they read: the space mark U+2581 is a space here, and a byte piece is its byte. The
// reference turns spaces into marks before it merges; turning marks into spaces instead gives the same
// pieces.
class Vocabulary {
 public:
  // kInvalidModel, naming the piece, when a count, size, text or kind is not usable; `source` begins the
  // message.
  static Result<Vocabulary> build(const std::string& source, const VocabularyParts& parts);

  std::size_t size() const { return texts_.size(); }
  std::string_view text(TokenId id) const { return texts_[id]; }
  PieceKind kind(TokenId id) const { return kinds_[static_cast<std::size_t>(id)]; }

  PrefixTrie::Match longest_added(std::string_view text) const { return added_.longest_prefix(text); }
  bool may_start_added(char first) const { return added_.may_start_with(first); }

  // The piece with exactly this text that merging may use, as a symbol or as a result.
  std::optional<TokenId> find_mergeable(std::string_view text) const { return mergeable_.find(texts_, text); }
  std::size_t longest_mergeable() const { return longest_mergeable_; }  // bytes
  std::uint32_t merge_rank(TokenId id) const { return ranks_[static_cast<std::size_t>(id)]; }
  // The piece of a rank. Ranks are 0, 1, 2, ... without holes.
  TokenId merged_at(std::uint32_t rank) const { return by_rank_[rank]; }

  // -1 when the vocabulary has no piece for the byte.
  TokenId byte_piece(unsigned char byte) const { return byte_pieces_[byte]; }
  std::optional<TokenId> find_control(std::string_view text) const;

 private:
  Vocabulary() = default;
  Result<> add_piece(const std::string& source, const VocabularyParts& parts, TokenId id);
  Result<> index_mergeable(const std::string& source, const VocabularyParts& parts);
  void number_ranks(const std::vector<std::uint32_t>& merge_ranks);

  PieceTexts texts_;
  std::vector<PieceKind> kinds_;
  PieceTable mergeable_;
  std::size_t longest_mergeable_ = 0;
  std::vector<std::uint32_t> ranks_;
  std::vector<TokenId> by_rank_;
  PrefixTrie added_;
  std::size_t added_bytes_ = 0;
  std::array<TokenId, 256> byte_pieces_;
};

}  // namespace carat::tokenizer
