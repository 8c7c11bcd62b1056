#include "tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/utf8.h"
#include "tokenizer/test_tiny_vocabulary.h"

namespace carat::tokenizer {
namespace {

using testing::HasSubstr;

class TokenizerTest : public testing::Test {
 protected:
  std::vector<TokenId> encode(std::string_view text, ControlTokens mode = ControlTokens::kAsText) const {
    return tokenizer_->encode(text, mode);
  }

  TinyVocabulary tiny_;
  std::shared_ptr<const Tokenizer> tokenizer_ = tiny_.build().value();
};

TEST_F(TokenizerTest, MergesTheBestPairFirst) {
  EXPECT_EQ(encode("hello world"), tiny_.ids({"hello", "\u2581world"}));
  EXPECT_EQ(encode("abc"), tiny_.ids({"abc"}));
  EXPECT_EQ(encode("aaaa"), tiny_.ids({"aa", "aa"}));  // aa before aaa, the leftmost pair first
  EXPECT_EQ(encode("helhello"), tiny_.ids({"he", "l", "hello"}));
  EXPECT_EQ(encode(""), std::vector<TokenId>());
}

TEST_F(TokenizerTest, FollowsScoresRatherThanIds) {
  EXPECT_EQ(encode("aabc"), tiny_.ids({"a", "abc"}));
  tiny_.scores[static_cast<std::size_t>(tiny_.id("aa"))] = 1.0F;
  tokenizer_ = tiny_.build().value();
  EXPECT_EQ(encode("aabc"), tiny_.ids({"aa", "bc"}));
}

TEST_F(TokenizerTest, MatchesAddedTokensInAnyText) {
  EXPECT_EQ(encode("a\n\n\nb"), tiny_.ids({"a", "\n\n", "\n", "b"}));
  EXPECT_EQ(encode("a</s>b[multimodal]"), tiny_.ids({"a", "</s>", "b", "[multimodal]"}));
  EXPECT_EQ(encode("</s"), tiny_.ids({"<", "/", "s"}));
}

TEST_F(TokenizerTest, ReadsControlTokensOnlyWhereAsked) {
  EXPECT_EQ(encode("a<bos>b<end_of_turn>", ControlTokens::kParse),
            tiny_.ids({"a", "<bos>", "b", "<end_of_turn>"}));
  EXPECT_EQ(encode("<bos>"), tiny_.ids({"<", "b", "o", "s", ">"}));
  EXPECT_EQ(tokenizer_->decode(encode("<bos>"), /*show_control=*/false), "<bos>");
}

TEST_F(TokenizerTest, MergesSpaceRunsBeforeAllElse) {
  EXPECT_EQ(encode("a   world"), tiny_.ids({"a", "   ", "w", "or", "ld"}));
  EXPECT_EQ(encode("    w"), tiny_.ids({"   ", "\u2581w"}));
  // A mark that stands in the text matches as an added token, from where it stands; spaces do not.
  EXPECT_EQ(encode("\u2581\u2581 w"), tiny_.ids({"  ", "\u2581w"}));
  EXPECT_EQ(encode(" \u2581\u2581w"), tiny_.ids({"\u2581", "  ", "w"}));
  EXPECT_EQ(encode(" \u2581w"), tiny_.ids({"  ", "w"}));
}

TEST_F(TokenizerTest, FallsBackToBytes) {
  EXPECT_EQ(encode("a\u20AC"), tiny_.ids({"a", "<0xE2>", "<0x82>", "<0xAC>"}));
  EXPECT_EQ(encode(std::string_view("\0", 1)), tiny_.ids({"<0x00>"}));
  EXPECT_EQ(encode("\x80"), tiny_.ids({"<0xEF>", "<0xBF>", "<0xBD>"}));  // U+FFFD
}

TEST_F(TokenizerTest, GivesOneUnknownForARunWithoutBytePieces) {
  TinyVocabulary without;
  for (std::int32_t& type : without.types) type = type == 6 ? 5 : type;
  const auto tokenizer = without.build().value();
  EXPECT_EQ(tokenizer->encode("axyzb\u20AC", ControlTokens::kAsText),
            without.ids({"a", "<unk>", "b", "<unk>"}));
}

TEST_F(TokenizerTest, DecodesBytesOnlyIfTheWholeRunIsValid) {
  const std::string replacement(kReplacementCharacter);
  EXPECT_EQ(tokenizer_->decode(tiny_.ids({"a", "<0xE2>", "<0x82>", "<0xAC>", "b"}), false), "a\u20ACb");
  EXPECT_EQ(tokenizer_->decode(tiny_.ids({"<0x41>", "<0xE2>", "a"}), false), replacement + replacement + "a");
  EXPECT_EQ(tokenizer_->decode(tiny_.ids({"<bos>", "a", "<end_of_turn>"}), false), "a");
  EXPECT_EQ(tokenizer_->decode(tiny_.ids({"<bos>", "a", "<end_of_turn>"}), true), "<bos>a<end_of_turn>");
  const std::vector<TokenId> outside = {-1, tiny_.id("a"), 1'000'000, std::numeric_limits<TokenId>::min()};
  EXPECT_EQ(tokenizer_->decode(outside, true), "a");
}

TEST_F(TokenizerTest, KnowsWhatEndsAnAnswer) {
  EXPECT_TRUE(tokenizer_->is_end_of_generation(tiny_.id("<eos>")));
  EXPECT_TRUE(tokenizer_->is_end_of_generation(tiny_.id("<end_of_turn>")));
  EXPECT_FALSE(tokenizer_->is_end_of_generation(tiny_.id("</s>")));
  EXPECT_FALSE(tokenizer_->is_end_of_generation(-1));
}

TEST_F(TokenizerTest, DropsPaddingRows) {
  const std::size_t size = tiny_.texts.size();
  tiny_.add("[PAD300]", 5);
  tiny_.add("[PAD301]", 5);
  EXPECT_EQ(tiny_.build().value()->size(), size);
}

struct Damage {
  const char* name;
  void (*apply)(TinyVocabulary&);
  const char* message;
};

class DamagedVocabularyTest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedVocabularyTest, IsRefused) {
  TinyVocabulary tiny;
  GetParam().apply(tiny);
  const auto built = tiny.build();
  ASSERT_FALSE(built.has_value());
  EXPECT_EQ(built.error().kind, ErrorKind::kInvalidModel);
  EXPECT_THAT(built.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, DamagedVocabularyTest,
    testing::Values(
        Damage{"FewerScores", [](TinyVocabulary& v) { v.scores.pop_back(); }, "scores has"},
        Damage{"FewerTypes", [](TinyVocabulary& v) { v.types.pop_back(); }, "token_type has"},
        Damage{"NanScore", [](TinyVocabulary& v) { v.scores[290] = std::nanf(""); }, "scores[290]"},
        Damage{"UnknownType", [](TinyVocabulary& v) { v.types[7] = 0; }, "token_type[7]"},
        Damage{"NegativeType", [](TinyVocabulary& v) { v.types[7] = -3; }, "found -3"},
        Damage{"EmptyText", [](TinyVocabulary& v) { v.texts[280].clear(); }, "piece 280"},
        Damage{"LongText", [](TinyVocabulary& v) { v.texts[280].assign(5000, 'x'); }, "found 5000"},
        Damage{"InvalidUtf8", [](TinyVocabulary& v) { v.texts[280] = std::string("\xC3"); },
               "not valid UTF-8"},
        Damage{"NotAByte", [](TinyVocabulary& v) { v.texts[12] = std::string("<0xG0>"); }, "not <0xHH>"},
        Damage{"SignedByte", [](TinyVocabulary& v) { v.texts[12] = std::string("<0x-1>"); }, "not <0xHH>"},
        Damage{"NothingForSomeBytes",
               [](TinyVocabulary& v) {
                 v.types[20] = 5;
                 v.types[3] = 1;
               },
               "neither"},
        Damage{"Nothing",
               [](TinyVocabulary& v) {
                 v.texts.clear();
                 v.scores.clear();
                 v.types.clear();
               },
               "found 0"}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace carat::tokenizer
