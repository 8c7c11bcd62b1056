#include "tokenizer/stream_decoder.h"

#include <gtest/gtest.h>

#include "base/utf8.h"
#include "tokenizer/test_tiny_vocabulary.h"

namespace carat::tokenizer {
namespace {

class StreamDecoderTest : public testing::Test {
 protected:
  std::string push(std::string_view piece) { return decoder_.push(tiny_.id(piece)); }

  TinyVocabulary tiny_;
  std::shared_ptr<const Tokenizer> tokenizer_ = tiny_.build().value();
  StreamDecoder decoder_ = StreamDecoder(tokenizer_);
  const std::string replacement_ = std::string(kReplacementCharacter);
};

TEST_F(StreamDecoderTest, HoldsBackIncompleteCharacters) {
  EXPECT_EQ(push("\u2581world"), " world");
  EXPECT_EQ(push("<0xF0>"), "");
  EXPECT_EQ(push("<0x9F>"), "");
  EXPECT_EQ(push("<0x98>"), "");
  EXPECT_EQ(push("<0x80>"), "\U0001F600");
  EXPECT_EQ(push("<0x41>"), "A");
  EXPECT_EQ(decoder_.finish(), "");
}

TEST_F(StreamDecoderTest, ReplacesBytesThatStayIncomplete) {
  EXPECT_EQ(push("<0xE2>"), "");
  EXPECT_EQ(push("<0x82>"), "");
  EXPECT_EQ(push("a"), replacement_ + replacement_ + "a");
  EXPECT_EQ(push("<0xE2>"), "");
  EXPECT_EQ(push("<0xC3>"), replacement_);  // the first byte can no longer become a character, this one can
  EXPECT_EQ(push("<0xA9>"), "\u00E9");
  EXPECT_EQ(push("<0xF0>"), "");
  EXPECT_EQ(decoder_.finish(), replacement_);
  EXPECT_EQ(decoder_.finish(), "");
}

TEST_F(StreamDecoderTest, HidesControlTokensAndForeignIds) {
  EXPECT_EQ(push("<0xC3>"), "");
  EXPECT_EQ(push("<end_of_turn>"), "");
  EXPECT_EQ(decoder_.push(-1), "");
  EXPECT_EQ(decoder_.push(1'000'000), "");
  EXPECT_EQ(push("<0xA9>"), "\u00E9");
  EXPECT_EQ(StreamDecoder(tokenizer_, /*show_control=*/true).push(tiny_.id("<bos>")), "<bos>");
}

}  // namespace
}  // namespace carat::tokenizer
