#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tokenizer/test_tiny_json.h"
#include "tokenizer/tokenizer.h"

namespace carat::tokenizer {
namespace {

using testing::HasSubstr;

std::string with(std::string_view from, std::string_view to) {
  std::string json(kTinyTokenizerJson);
  const std::size_t at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return json.replace(at, from.size(), to);
}

TEST(TokenizerJsonTest, TakesThePriorityFromTheMergeList) {
  const auto tokenizer = Tokenizer::from_json_text("test", kTinyTokenizerJson).value();
  EXPECT_EQ(tokenizer->size(), 10U);
  using Ids = std::vector<TokenId>;
  EXPECT_EQ(tokenizer->encode("ab\n ab", ControlTokens::kAsText), (Ids{5, 1, 4, 5}));
  EXPECT_EQ(tokenizer->encode("aab aa", ControlTokens::kAsText), (Ids{7, 6, 2}));
  EXPECT_EQ(tokenizer->encode("a<extra>", ControlTokens::kParse), (Ids{2, 9}));
  EXPECT_EQ(tokenizer->encode("xyz", ControlTokens::kAsText), (Ids{0}));
  EXPECT_EQ(tokenizer->decode(Ids{6, 1, 9, 7}, /*show_control=*/false), " a\naab");
}

TEST(TokenizerJsonTest, ReadsTheOlderFormOfMerges) {
  const std::string old = with(R"([["a", "b"], ["▁", "a"], ["a", "ab"], ["aa", "b"], ["a", "a"]])",
                               R"(["a b", "▁ a", "a ab", "aa b", "a a"])");
  const auto tokenizer = Tokenizer::from_json_text("test", old).value();
  EXPECT_EQ(tokenizer->encode("aab aa", ControlTokens::kAsText), (std::vector<TokenId>{7, 6, 2}));
}

struct Damage {
  const char* name;
  std::string_view from;
  std::string_view to;
  const char* message;
};

class DamagedTokenizerJsonTest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedTokenizerJsonTest, IsRefused) {
  const auto built = Tokenizer::from_json_text("file.json", with(GetParam().from, GetParam().to));
  ASSERT_FALSE(built.has_value());
  EXPECT_EQ(built.error().kind, ErrorKind::kInvalidModel);
  EXPECT_THAT(built.error().message, HasSubstr(GetParam().message));
  EXPECT_THAT(built.error().message, HasSubstr("file.json"));
}

INSTANTIATE_TEST_SUITE_P(
    All, DamagedTokenizerJsonTest,
    testing::Values(
        Damage{"NotJson", R"("version": "1.0",)", R"("version" "1.0",)", "not a JSON file"},
        Damage{"TooDeep", "\"truncation\": null", R"("truncation": [[[[[[[[[[[[[[0]]]]]]]]]]]]]])",
               "not a JSON file"},
        Damage{"OtherModel", R"("type": "BPE")", R"("type": "Unigram")", "model.type must be 'BPE'"},
        Damage{"NoByteFallback", R"("byte_fallback": true)", R"("byte_fallback": false)",
               "model.byte_fallback"},
        Damage{"OtherNormalizer", R"("type": "Replace")", R"("type": "NFKC")", "normalizer.type"},
        Damage{"OtherSpace", R"("content": "▁"})", R"("content": "_"})", "normalizer.content"},
        Damage{"NegativeId", R"("a": 2)", R"("a": -2)", "found -2"},
        Damage{"HugeId", R"("a": 2)", R"("a": 18446744073709551615)", "found -1"},
        Damage{"LargeId", R"("a": 2)", R"("a": 4294967298)", "found 4294967298"},
        Damage{"FractionalId", R"("a": 2)", R"("a": 2.5)", "found -1"},
        Damage{"TextId", R"("a": 2)", R"("a": "2")", "texts to numbers"},
        Damage{"DoubleId", R"("a": 2)", R"("a": 3)", "given to both"},
        Damage{"Hole", R"("id": 9)", R"("id": 10)", "token id 9 has no text"},
        Damage{"AddedConflict", R"("id": 9)", R"("id": 8)", "given to both"},
        Damage{"AddedWithoutId", R"("id": 9)", R"("identity": 9)", "found -1"},
        Damage{"Strips", R"("lstrip": false)", R"("lstrip": true)", "added token 0 sets"},
        Damage{"MergeOfThree", R"(["a", "b"])", R"(["a", "b", "b"])", "two parts"},
        Damage{"MergeOfOne", R"(["a", "b"])", R"(["ab"])", "two parts"},
        Damage{"MergeWithoutSpace", R"(["a", "b"])", R"("ab")", "two parts"},
        Damage{"MergeOfNothing", R"(["a", "b"])", R"(["a", "c"])", "not in model.vocab"},
        Damage{"MissingWay", R"(["aa", "b"], )", "", "a way to put a piece together is missing"},
        Damage{"ScatteredWays", R"(["▁", "a"], ["a", "ab"])", R"(["a", "ab"], ["▁", "a"])",
               "do not stand together"},
        Damage{"AddedAsObject", R"("added_tokens": [)", R"("added_tokens": {"x": [true]}, "others": [)",
               "neither"},
        Damage{"VocabularyAsArray", R"("vocab": {)", R"("vocab": [2], "others": {)", "has no text"},
        Damage{"NoUnknown", R"("special": true)", R"("special": false)", "neither"}),
    [](const auto& param) { return param.param.name; });

TEST(TokenizerJsonTest, RefusesWhatFollowsTheDocument) {
  const auto built = Tokenizer::from_json_text("file.json", std::string(kTinyTokenizerJson) + "\n {}");
  ASSERT_FALSE(built.has_value());
  EXPECT_THAT(built.error().message, HasSubstr("goes on"));
}

TEST(TokenizerJsonTest, RefusesEveryTruncation) {
  for (std::size_t length = 0; length < kTinyTokenizerJson.size(); ++length) {
    EXPECT_FALSE(Tokenizer::from_json_text("file.json", kTinyTokenizerJson.substr(0, length)).has_value())
        << length;
  }
}

TEST(TokenizerJsonTest, ReadsFilesAndNamesMissingOnes) {
  const auto missing = Tokenizer::from_tokenizer_json("/nonexistent/tokenizer.json");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  const std::string path = testing::TempDir() + "carat_tokenizer.json";
  std::ofstream(path) << kTinyTokenizerJson;
  EXPECT_EQ(Tokenizer::from_tokenizer_json(path).value()->size(), 10U);
}

}  // namespace
}  // namespace carat::tokenizer
