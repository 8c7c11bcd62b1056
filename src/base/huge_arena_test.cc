#include "base/huge_arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace carat {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

std::uintptr_t address(const HugePiece& piece) {
  return reinterpret_cast<std::uintptr_t>(piece.bytes().data());
}

TEST(HugeArena, PlacesPiecesSideBySide) {
  HugeArena arena;
  const HugePiece first = arena.allocate(100).value();
  const HugePiece second = arena.allocate(3 * kMiB).value();
  const HugePiece third = arena.allocate(1).value();
  EXPECT_EQ(address(first) % (2 * kMiB), 0U);
  EXPECT_EQ(address(second), address(first) + 128);  // 64-byte aligned
  EXPECT_EQ(address(third), address(second) + 3 * kMiB);
  EXPECT_EQ(first.size(), 100U);
  EXPECT_EQ(second.size(), 3 * kMiB);
  EXPECT_TRUE(arena.allocate(0).value().bytes().empty());
}

TEST(HugeArena, BeginsAnotherSlabWhereAPieceDoesNotFit) {
  HugeArena arena;
  const HugePiece most = arena.allocate(HugeArena::kSlabBytes - 64).value();
  const HugePiece rest = arena.allocate(64).value();
  const HugePiece next = arena.allocate(64).value();
  const HugePiece large = arena.allocate(HugeArena::kSlabBytes + 1).value();
  EXPECT_EQ(address(rest), address(most) + HugeArena::kSlabBytes - 64);
  EXPECT_EQ(address(next) % (2 * kMiB), 0U);
  EXPECT_NE(address(next), address(rest) + 64);
  EXPECT_EQ(address(large) % (2 * kMiB), 0U);
  EXPECT_EQ(large.size(), HugeArena::kSlabBytes + 1);
}

TEST(HugeArena, PiecesAreZeroedAndOutliveArenaAndNeighbours) {
  auto arena = std::make_optional<HugeArena>();
  std::optional<HugePiece> neighbour = arena->allocate(1000).value();
  HugePiece piece = arena->allocate(1000).value();
  EXPECT_TRUE(std::ranges::all_of(piece.bytes(), [](std::byte byte) { return byte == std::byte{0}; }));
  std::ranges::fill(neighbour->bytes(), std::byte{1});
  std::ranges::fill(piece.bytes(), std::byte{2});
  neighbour.reset();
  arena.reset();
  const HugePiece moved = std::move(piece);
  EXPECT_TRUE(std::ranges::all_of(moved.bytes(), [](std::byte byte) { return byte == std::byte{2}; }));
}

TEST(HugeArena, SaysWhenMemoryIsRefused) {
  HugeArena arena;
  const HugePiece before = arena.allocate(64).value();
  for (const std::size_t bytes :
       {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 4}) {
    const auto refused = arena.allocate(bytes);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, ErrorKind::kDoesNotFit);
  }
  const HugePiece after = arena.allocate(64).value();
  EXPECT_EQ(address(after), address(before) + 64);
}

// The oracle: which huge pages the pieces of a real arena touch.
std::uint64_t touched_bytes(std::span<const std::uint64_t> sizes) {
  HugeArena arena;
  std::vector<HugePiece> pieces;
  std::vector<std::uintptr_t> pages;
  for (const std::uint64_t bytes : sizes) {
    const HugePiece& piece = pieces.emplace_back(arena.allocate(bytes).value());
    if (bytes == 0) continue;
    for (std::uintptr_t page = address(piece) / (2 * kMiB); page <= (address(piece) + bytes - 1) / (2 * kMiB);
         ++page) {
      pages.push_back(page);
    }
  }
  std::ranges::sort(pages);
  pages.erase(std::ranges::unique(pages).begin(), pages.end());
  return pages.size() * 2 * kMiB;
}

TEST(HugeArena, SaysWhatPiecesWillOccupy) {
  const std::vector<std::uint64_t> cases[] = {
      {},
      {0},
      {1},
      {100, 3 * kMiB, 64},
      {2 * kMiB, 2 * kMiB},
      {HugeArena::kSlabBytes},
      {HugeArena::kSlabBytes + 1, 5, 7 * kMiB},
      {200 * kMiB, 57 * kMiB, 3 * kMiB, 300 * kMiB, 1 * kMiB, 255 * kMiB},
      {HugeArena::kSlabBytes - 64, 63, 1, 100},
  };
  for (const auto& sizes : cases) EXPECT_EQ(HugeArena::resident_bytes(sizes), touched_bytes(sizes));
}

}  // namespace
}  // namespace carat
