#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/token_id.h"

namespace carat::tokenizer {

class PieceTexts;

// Finds a piece by its text: an open-addressing table of 4-byte slots (2 MiB for Gemma 3, so it stays in the
// L2 cache) that refers to the texts instead of holding them.
class PieceTable {
 public:
  static constexpr std::size_t kMaxPieces = (std::size_t{1} << 20) - 1;  // ids fill 20 bits of a slot

  // An empty table for up to `pieces` entries.
  explicit PieceTable(std::size_t pieces = 0);

  // Adds texts[id] for each id; a text that is already there keeps its first id. Returns the id that has no
  // place near enough, which does not happen with real vocabularies: such pieces were chosen to collide.
  [[nodiscard]] std::optional<TokenId> insert(const PieceTexts& texts, std::span<const TokenId> ids);

  std::optional<TokenId> find(const PieceTexts& texts, std::string_view text) const;

 private:
  bool insert_hashed(const PieceTexts& texts, TokenId id, std::uint64_t hash);

  std::vector<std::uint32_t> slots_;  // tag << 20 | id; a power of two of them, at most half of them in use
};

}  // namespace carat::tokenizer
