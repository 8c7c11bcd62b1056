// Several thousand texts through the whole vocabulary of Gemma 3, against ids from the reference tokenizer
// (tools/make_tokenizer_fixture.py). Skipped, visibly, where the vocabulary is not installed.

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/test_fixture.h"
#include "base/utf8.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/test_fixture_reader.h"
#include "tokenizer/test_full_vocabulary.h"
#include "tokenizer/tokenizer.h"

namespace carat::tokenizer {
namespace {

enum RecordKind { kSame, kDiffering, kDecoding };

struct Record {
  RecordKind kind = kSame;
  std::string text;
  std::vector<TokenId> parsed;
  std::vector<TokenId> plain;
  std::vector<TokenId> ids;
  std::string hidden;
  std::string everything;
};

Record read_record(FixtureReader& reader) {
  Record out;
  out.kind = static_cast<RecordKind>(reader.number());
  if (out.kind == kDecoding) {
    out.ids = reader.ids();
    out.hidden = reader.text();
    out.everything = reader.text();
    return out;
  }
  out.text = reader.text();
  out.parsed = reader.ids();
  out.plain = out.kind == kDiffering ? reader.ids() : out.parsed;
  return out;
}

std::vector<Record> read_fixture() {
  FixtureReader reader(test_fixture("tokenizer.bin"));
  std::vector<Record> records;
  if (reader.take(6) != "CTOK1\n") return records;
  while (!reader.at_end()) records.push_back(read_record(reader));
  return records;
}

std::string hex(std::string_view text) {
  std::string out;
  for (const char byte : text) out += fmt::format("{:02x} ", static_cast<unsigned char>(byte));
  return out;
}

// The full vocabulary from either source, or the reason why there is none.
Result<std::shared_ptr<const Tokenizer>> load(const std::string& origin) {
  if (origin == "gguf") {
    CARAT_TRY(const GgufTokenizer file, read_gguf_tokenizer(default_model_path()));
    return Tokenizer::from_pieces(default_model_path(), file.arrays());
  }
  const char* path = std::getenv("CARAT_TOKENIZER_JSON");
  if (path == nullptr) return fail(ErrorKind::kNotFound, "CARAT_TOKENIZER_JSON is not set");
  return Tokenizer::from_tokenizer_json(path);
}

class TokenizerReferenceTest : public testing::TestWithParam<std::string> {
 protected:
  static void SetUpTestSuite() { records_ = new std::vector<Record>(read_fixture()); }
  static void TearDownTestSuite() { delete records_; }

  void SetUp() override {
    auto loaded = load(GetParam());
    if (!loaded && loaded.error().kind == ErrorKind::kNotFound) {
      GTEST_SKIP() << "no vocabulary: " << loaded.error().message;
    }
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    tokenizer_ = *loaded;
    ASSERT_GT(records_->size(), 5000U);
  }

  static std::vector<Record>* records_;
  std::shared_ptr<const Tokenizer> tokenizer_;
};
std::vector<Record>* TokenizerReferenceTest::records_ = nullptr;

bool spells_image_soft_token(const Record& record) {
  return record.text.find("<image_soft_token>") != std::string::npos;
}

TEST_P(TokenizerReferenceTest, EncodesEveryTextAsTheReference) {
  std::size_t compared = 0;
  for (const Record& record : *records_) {
    if (record.kind == kDecoding) continue;
    SCOPED_TRACE(record.text + " = " + hex(record.text));
    EXPECT_EQ(tokenizer_->encode(record.text, ControlTokens::kAsText), record.plain);
    // Only tokenizer.json has that token, the 262,145th: models without a vision tower have no row for it.
    if (GetParam() == "gguf" && spells_image_soft_token(record)) continue;
    EXPECT_EQ(tokenizer_->encode(record.text, ControlTokens::kParse), record.parsed);
    ++compared;
  }
  RecordProperty("texts", static_cast<int>(compared));
  EXPECT_GT(compared, 5000U);
}

TEST_P(TokenizerReferenceTest, DecodesEveryListAsTheReference) {
  std::size_t compared = 0;
  for (const Record& record : *records_) {
    if (record.kind != kDecoding) continue;
    SCOPED_TRACE(testing::PrintToString(record.ids));
    EXPECT_EQ(tokenizer_->decode(record.ids, /*show_control=*/false), record.hidden);
    EXPECT_EQ(tokenizer_->decode(record.ids, /*show_control=*/true), record.everything);
    ++compared;
  }
  EXPECT_EQ(compared, 500U);
}

TEST_P(TokenizerReferenceTest, StreamsEveryTextBackWhole) {
  for (const Record& record : *records_) {
    if (record.kind == kDecoding) continue;
    SCOPED_TRACE(hex(record.text));
    StreamDecoder decoder(tokenizer_, /*show_control=*/true);
    std::string streamed;
    for (const TokenId id : record.plain) {
      const std::string part = decoder.push(id);
      EXPECT_TRUE(is_valid_utf8(part));
      streamed += part;
    }
    EXPECT_EQ(decoder.finish(), "");
    EXPECT_EQ(streamed, tokenizer_->decode(record.plain, /*show_control=*/true));
  }
}

TEST_P(TokenizerReferenceTest, KnowsTheSpecialIds) {
  EXPECT_EQ(tokenizer_->bos(), 2);
  EXPECT_EQ(tokenizer_->eos(), 1);
  EXPECT_EQ(tokenizer_->start_of_turn(), 105);
  EXPECT_EQ(tokenizer_->end_of_turn(), 106);
  for (const TokenId id : {0, 1, 2, 3, 105, 106, 255'999, 256'000})
    EXPECT_TRUE(tokenizer_->is_control(id)) << id;
  for (const TokenId id : {4, 5, 6, 107, 212, 238, 494, 262'143})
    EXPECT_FALSE(tokenizer_->is_control(id)) << id;
  EXPECT_EQ(tokenizer_->piece(212), "</s>");  // an HTML tag, not the end of a sequence
  EXPECT_FALSE(tokenizer_->is_end_of_generation(212));
  EXPECT_TRUE(tokenizer_->is_end_of_generation(1));
  EXPECT_TRUE(tokenizer_->is_end_of_generation(106));
}

INSTANTIATE_TEST_SUITE_P(Vocabulary, TokenizerReferenceTest, testing::Values("gguf", "json"),
                         [](const auto& param) { return param.param; });

// Early quantization-aware files type control tokens as normal or user-defined; conversions of larger sizes
// pad.
TEST(FullVocabularyTest, CorrectsKnownErrorsOfFiles) {
  auto file = read_gguf_tokenizer(default_model_path());
  if (!file && file.error().kind == ErrorKind::kNotFound)
    GTEST_SKIP() << "no vocabulary: " << file.error().message;
  ASSERT_TRUE(file.has_value()) << file.error().message;
  for (const std::size_t id : {0, 1, 2, 3, 105, 106, 255'999, 256'000}) file->types[id] = id % 2 == 0 ? 1 : 4;
  while (file->views.size() < 262'208) {
    file->views.emplace_back("[PAD]");
    file->types.push_back(5);
    file->scores.push_back(-10'000.0F);
  }
  const auto tokenizer = Tokenizer::from_pieces("old", file->arrays()).value();
  EXPECT_EQ(tokenizer->size(), 262'144U);
  for (const TokenId id : {0, 1, 2, 3, 105, 106, 255'999, 256'000})
    EXPECT_TRUE(tokenizer->is_control(id)) << id;
  EXPECT_EQ(tokenizer->encode("<end_of_turn>", ControlTokens::kParse), std::vector<TokenId>{106});
  for (const TokenId id : tokenizer->encode("<end_of_turn><bos>", ControlTokens::kAsText)) {
    EXPECT_FALSE(tokenizer->is_control(id));
  }
}

}  // namespace
}  // namespace carat::tokenizer
