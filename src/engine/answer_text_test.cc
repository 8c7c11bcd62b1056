#include "engine/answer_text.h"

#include <gmock/gmock.h>

#include <random>

#include "base/test_fixture.h"
#include "base/utf8.h"

namespace carat::engine {
namespace {

using testing::ElementsAre;
using tokenizer::ControlTokens;
using tokenizer::Tokenizer;

class AnswerTextTest : public testing::Test {
 protected:
  std::shared_ptr<const Tokenizer> tokenizer_ =
      Tokenizer::from_tokenizer_json(test_fixture("tiny_models/chat/tokenizer.json")).value();

  std::vector<TokenId> encode(std::string_view text) const {
    return tokenizer_->encode(text, ControlTokens::kAsText);
  }
  std::string decode(std::span<const TokenId> ids) const {
    return tokenizer_->decode(ids, /*show_control=*/false);
  }

  // Adds the ids of `text` until a stop string was seen.
  void add_all(AnswerText& answer, std::string_view text) const {
    for (const TokenId id : encode(text)) {
      if (!answer.stopped()) answer.add(id);
    }
    answer.finish();
  }
};

TEST_F(AnswerTextTest, KeepsTheGivenIdsThoughOtherOnesSpellTheSame) {
  const std::vector<TokenId> canonical = encode("the");
  ASSERT_EQ(canonical.size(), 1U);
  const std::vector<TokenId> spelled = {encode("t")[0], encode("h")[0], encode("e")[0]};
  AnswerText answer(tokenizer_, {});
  for (const TokenId id : spelled) EXPECT_FALSE(answer.add(id).empty());
  EXPECT_EQ(answer.shown(), "the");
  EXPECT_EQ(answer.ids(), spelled);
}

TEST_F(AnswerTextTest, DropsTheIdsOfTheStopString) {
  AnswerText answer(tokenizer_, {"\n### User:"});
  add_all(answer, "Paris.\n### User: more");
  EXPECT_EQ(answer.shown(), "Paris.");
  EXPECT_EQ(answer.ids(), encode("Paris."));
}

TEST_F(AnswerTextTest, EncodesTheRestOfATokenThatTheStopStringCuts) {
  const std::vector<TokenId> blank_line = encode("\n\n");
  ASSERT_EQ(blank_line.size(), 1U);
  AnswerText answer(tokenizer_, {"\n###"});
  add_all(answer, "a\n\n### User");
  EXPECT_EQ(answer.shown(), "a\n");
  EXPECT_EQ(answer.ids(), encode("a\n"));
  EXPECT_EQ(decode(answer.ids()), answer.shown());
}

TEST_F(AnswerTextTest, ShowsACharacterOnceItsBytesAreThere) {
  AnswerText answer(tokenizer_, {"日"});
  const std::vector<TokenId> bytes = encode("é日");  // the tiny vocabulary spells both in bytes
  ASSERT_EQ(bytes.size(), 5U);
  EXPECT_EQ(answer.add(bytes[0]), "");
  EXPECT_EQ(answer.add(bytes[1]), "é");
  EXPECT_EQ(answer.add(bytes[2]), "");
  EXPECT_EQ(answer.add(bytes[3]), "");
  EXPECT_EQ(answer.add(bytes[4]), "");
  EXPECT_TRUE(answer.stopped());
  EXPECT_EQ(answer.finish(), "");
  EXPECT_THAT(answer.ids(), ElementsAre(bytes[0], bytes[1]));
}

TEST_F(AnswerTextTest, AnIncompleteCharacterAtTheEndIsReplaced) {
  AnswerText answer(tokenizer_, {"x"});
  answer.add(encode("é")[0]);
  EXPECT_EQ(answer.finish(), kReplacementCharacter);
  EXPECT_EQ(answer.ids().size(), 1U);
}

// Random tokens and stop strings: the ids always decode to what was shown, and begin with the ids that were
// added.
TEST_F(AnswerTextTest, IdsDecodeToTheShownText) {
  std::mt19937 random(3);
  const std::vector<std::string> words = {"the ", "in", "\n", "\n\n", "###", "é", "日", " ", "a", "<h1>"};
  for (int trial = 0; trial < 3000; ++trial) {
    const auto random_text = [&](std::size_t count) {
      std::string text;
      for (std::size_t i = 0; i < count; ++i) text += words[random() % words.size()];
      return text;
    };
    const std::string text = random_text(12);
    AnswerText answer(tokenizer_, {random_text(1 + random() % 2), random_text(2)});
    const std::vector<TokenId> added = encode(text);
    std::string shown;
    for (std::size_t i = 0; i < added.size() && !answer.stopped(); ++i) shown += answer.add(added[i]);
    shown += answer.finish();
    ASSERT_EQ(shown, answer.shown());
    ASSERT_TRUE(text.starts_with(shown));
    ASSERT_EQ(answer.stopped(), shown != text);
    ASSERT_EQ(decode(answer.ids()), shown);
  }
}

}  // namespace
}  // namespace carat::engine
