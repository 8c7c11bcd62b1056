#include "tokenizer/piece_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "tokenizer/piece_texts.h"

namespace carat::tokenizer {
namespace {

constexpr unsigned kIdBits = 20;
constexpr std::uint32_t kIdMask = (1U << kIdBits) - 1;
constexpr std::uint32_t kEmpty = ~0U;
// Longest search. At half load a chain of 64 used slots does not occur by chance.
constexpr std::size_t kMaxProbes = 256;

std::uint64_t mix(std::uint64_t value) {
  value *= 0x9E3779B97F4A7C15U;
  return value ^ (value >> 32);
}

std::uint64_t hash(std::string_view text) {
  std::uint64_t state = mix(text.size() + 1);
  while (text.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), sizeof word);
    state = mix(state ^ word);
    text.remove_prefix(sizeof word);
  }
  std::uint64_t rest = 0;
  if (!text.empty()) std::memcpy(&rest, text.data(), text.size());
  return mix(mix(state ^ rest));
}

std::uint32_t tag_of(std::uint64_t hash_value) {
  // The top tag is left out so that no slot in use equals kEmpty.
  return static_cast<std::uint32_t>((hash_value >> 52) % 4095) << kIdBits;
}

}  // namespace

PieceTable::PieceTable(std::size_t pieces) : slots_(std::bit_ceil(2 * pieces + 2), kEmpty) {
  CARAT_CHECK(pieces <= kMaxPieces);
}

// In groups, so that the cache misses of a group overlap: half the time of loading would be spent on them.
std::optional<TokenId> PieceTable::insert(const PieceTexts& texts, std::span<const TokenId> ids) {
  std::array<std::uint64_t, 32> hashes;
  while (!ids.empty()) {
    const std::size_t count = std::min(ids.size(), hashes.size());
    for (std::size_t i = 0; i < count; ++i) {
      hashes[i] = hash(texts[ids[i]]);
      __builtin_prefetch(&slots_[hashes[i] & (slots_.size() - 1)], /*rw=*/1);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (!insert_hashed(texts, ids[i], hashes[i])) return ids[i];
    }
    ids = ids.subspan(count);
  }
  return std::nullopt;
}

bool PieceTable::insert_hashed(const PieceTexts& texts, TokenId id, std::uint64_t hash_value) {
  const std::string_view text = texts[id];
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t probe = 0; probe < kMaxProbes; ++probe) {
    std::uint32_t& slot = slots_[(hash_value + probe) & mask];
    if (slot == kEmpty) {
      slot = tag_of(hash_value) | static_cast<std::uint32_t>(id);
      return true;
    }
    if ((slot & ~kIdMask) == tag_of(hash_value) && texts[static_cast<TokenId>(slot & kIdMask)] == text)
      return true;
  }
  return false;
}

std::optional<TokenId> PieceTable::find(const PieceTexts& texts, std::string_view text) const {
  const std::uint64_t hash_value = hash(text);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t probe = 0; probe < kMaxProbes; ++probe) {
    const std::uint32_t slot = slots_[(hash_value + probe) & mask];
    if (slot == kEmpty) return std::nullopt;
    const auto id = static_cast<TokenId>(slot & kIdMask);
    if ((slot & ~kIdMask) == tag_of(hash_value) && texts[id] == text) return id;
  }
  return std::nullopt;
}

}  // namespace carat::tokenizer
