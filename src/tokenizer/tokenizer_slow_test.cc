#include <gtest/gtest.h>

#include <string>

#include "tokenizer/bpe_merger.h"
#include "tokenizer/test_tiny_vocabulary.h"
#include "tokenizer/tokenizer.h"

namespace carat::tokenizer {
namespace {

TEST(TokenizerSlowTest, CutsHugeStretchesAtACharacter) {
  const TinyVocabulary tiny;
  std::string text(BpeMerger::kMaxTextBytes - 1, 'c');
  text += "\u00E9\u00E9";
  const std::vector<TokenId> ids = tiny.build().value()->encode(text, ControlTokens::kAsText);
  EXPECT_EQ(ids.size(), BpeMerger::kMaxTextBytes + 1);
  EXPECT_EQ(ids.back(), tiny.id("\u00E9"));
}

}  // namespace
}  // namespace carat::tokenizer
