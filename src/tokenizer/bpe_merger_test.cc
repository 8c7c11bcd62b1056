#include "tokenizer/bpe_merger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace carat::tokenizer {
namespace {

// A random vocabulary over a few letters: all letters are pieces, and so are random joins of two pieces, in
// the order in which a trainer would have found them. Few letters make merges compete for the same
// characters.
class RandomVocabulary {
 public:
  RandomVocabulary(std::mt19937& rng, std::string_view letters, std::size_t merges) {
    for (const char letter : letters) add(std::string(1, letter), kNoRank);
    for (std::size_t tries = 0; texts_.size() < letters.size() + merges && tries < 1000; ++tries) {
      std::uniform_int_distribution<std::size_t> any(0, texts_.size() - 1);
      std::string text = texts_[any(rng)] + texts_[any(rng)];
      if (text.size() > 12 || std::ranges::find(texts_, text) != texts_.end()) continue;
      add(std::move(text), static_cast<std::uint32_t>(texts_.size()));
    }
  }

  Vocabulary build() const {
    VocabularyParts parts;
    parts.texts.assign(texts_.begin(), texts_.end());
    parts.kinds.assign(texts_.size(), PieceKind::kNormal);
    parts.merge_ranks = ranks_;
    return Vocabulary::build("random", parts).value();
  }

  // The definition: among all neighbours that make a piece, merge the first of the best; until there are
  // none.
  std::vector<TokenId> merge_by_definition(std::string_view text) const {
    std::vector<TokenId> ids;
    for (const char letter : text) ids.push_back(find(std::string(1, letter)));
    while (true) {
      std::size_t best_at = 0;
      TokenId best = -1;
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        const TokenId id =
            find(texts_[static_cast<std::size_t>(ids[i])] + texts_[static_cast<std::size_t>(ids[i + 1])]);
        if (id < 0 || (best >= 0 && rank(id) >= rank(best))) continue;
        best = id;
        best_at = i;
      }
      if (best < 0) return ids;
      ids[best_at] = best;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
    }
  }

 private:
  void add(std::string text, std::uint32_t rank) {
    texts_.push_back(std::move(text));
    ranks_.push_back(rank);
  }
  TokenId find(const std::string& text) const {
    const auto found = std::ranges::find(texts_, text);
    return found == texts_.end() ? -1 : static_cast<TokenId>(found - texts_.begin());
  }
  std::uint32_t rank(TokenId id) const { return ranks_[static_cast<std::size_t>(id)]; }

  std::vector<std::string> texts_;
  std::vector<std::uint32_t> ranks_;
};

TEST(BpeMergerTest, AgreesWithTheDefinitionOnRandomVocabularies) {
  std::mt19937 rng(7);
  for (int round = 0; round < 300; ++round) {
    const std::string_view letters = std::string_view("abcd").substr(0, 1 + rng() % 4);
    const RandomVocabulary random(rng, letters, 1 + rng() % 25);
    const Vocabulary vocabulary = random.build();
    BpeMerger merger(vocabulary, /*unknown=*/-1);
    for (int sample = 0; sample < 10; ++sample) {
      std::string text;
      for (std::size_t length = rng() % 60; text.size() < length;) text += letters[rng() % letters.size()];
      SCOPED_TRACE(text);
      std::vector<TokenId> ids;
      merger.encode(text, ids);
      EXPECT_EQ(ids, random.merge_by_definition(text));
    }
  }
}

// A megabyte without a space is one stretch. Each character starts one candidate and each merge two, and
// every candidate is taken off the heap once, so there are at most 6 operations a character, whatever the
// text.
TEST(BpeMergerTest, NeedsAFewOperationsACharacterOnAMegabyteWithoutASpace) {
  std::mt19937 rng(11);
  const RandomVocabulary random(rng, "abcd", 60);
  const Vocabulary vocabulary = random.build();
  const std::size_t size = std::size_t{1} << 20;
  std::string mixed;
  while (mixed.size() < size) mixed += "abcd"[rng() % 4];
  for (const std::string& text : {mixed, std::string(size, 'a')}) {
    BpeMerger merger(vocabulary, /*unknown=*/-1);
    std::vector<TokenId> ids;
    merger.encode(text, ids);
    EXPECT_LT(merger.operations(), 6 * size);
    EXPECT_GT(merger.operations(), size);
    EXPECT_LT(ids.size(), size);
  }
}

}  // namespace
}  // namespace carat::tokenizer
