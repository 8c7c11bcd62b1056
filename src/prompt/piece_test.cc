#include "prompt/piece.h"

#include <gtest/gtest.h>

#include "tokenizer/test_tiny_vocabulary.h"

namespace carat::prompt {
namespace {

TEST(PieceTest, EncodesEachPieceOnItsOwn) {
  const tokenizer::TinyVocabulary tiny;
  const auto tokenizer = tiny.build().value();
  const std::vector<Piece> pieces = {Markup{"<bos>he"},      PlainText{"ll"}, PlainText{"<bos>"},
                                     TokenIds{{7, 900'000}}, PlainText{""},   Markup{"<end_of_turn>\n"}};
  std::vector<TokenId> expected = tiny.ids({"<bos>", "he", "ll", "<", "b", "o", "s", ">"});
  expected.insert(expected.end(), {7, 900'000});
  expected.insert(expected.end(), {tiny.id("<end_of_turn>"), tiny.id("\n")});
  EXPECT_EQ(encode(pieces, *tokenizer), expected);
  EXPECT_TRUE(encode({}, *tokenizer).empty());
}

}  // namespace
}  // namespace carat::prompt
