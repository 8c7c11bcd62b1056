#include "engine/kept_sequences.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/checked_math.h"
#include "tensor/kv_block.h"

namespace carat::engine {
namespace {

constexpr std::size_t kRollback = 100;

class KeptSequencesTest : public testing::Test {
 protected:
  static model::GemmaConfig config() {
    model::GemmaConfig config;
    config.layers = 2;
    config.layer_kinds = {model::LayerKind::kLocal, model::LayerKind::kGlobal};
    config.kv_heads = 1;
    config.head_dim = 2;
    config.sliding_window = 64;
    return config;
  }
  // Ids first, first + 1, ...
  static PromptTokens tokens(std::size_t count, TokenId first = 0) {
    PromptTokens out;
    out.ids.resize(count);
    std::iota(out.ids.begin(), out.ids.end(), first);
    return out;
  }
  static PromptTokens joined(PromptTokens a, const PromptTokens& b) {
    a.ids.insert(a.ids.end(), b.ids.begin(), b.ids.end());
    return a;
  }
  void keep(const PromptTokens& tokens, const std::string& owner = "") {
    auto kv = std::make_unique<KvSequence>(pool_, kRollback);
    while (kv->length() < tokens.ids.size()) {
      const std::size_t rows = std::min<std::size_t>(50, tokens.ids.size() - kv->length());
      ASSERT_TRUE(kv->prepare(rows));
      kv->advance(rows);
    }
    kept_.keep({owner}, tokens, std::move(kv));
  }
  std::size_t prefix(const PromptTokens& prompt, const std::string& owner = "") const {
    return kept_.longest_prefix({owner}, prompt);
  }
  std::unique_ptr<KvSequence> reuse(const PromptTokens& prompt) {
    return kept_.reuse({}, prompt, pool_, kRollback);
  }

  KvPool pool_{model::KvGeometry(config(), tensor::KvType::kF32),
               {.global_blocks = 1000, .local_blocks = 1000}};
  KeptSequences kept_;
};

TEST_F(KeptSequencesTest, FindsTheLongestUsablePrefixOfTheSameOwner) {
  keep(tokens(300));
  keep(joined(tokens(220), tokens(100, 7000)));
  keep(tokens(310), "other");
  EXPECT_EQ(prefix(joined(tokens(220), tokens(10, 7000))), 229U);
  EXPECT_EQ(prefix(joined(tokens(290), tokens(10, 9000))), 290U);
  EXPECT_EQ(prefix(tokens(310)), 300U);
  EXPECT_EQ(prefix(tokens(310), "other"), 309U);  // one token is always left to run
  EXPECT_EQ(prefix(tokens(310), "nobody"), 0U);
  EXPECT_EQ(prefix(tokens(100)), 0U);  // its window is gone
  EXPECT_EQ(prefix(tokens(100, 5)), 0U);
}

TEST_F(KeptSequencesTest, GoingOnTakesTheSequenceAndBranchingSharesIt) {
  keep(tokens(300));
  const std::size_t blocks = pool_.global().in_use();
  const auto branch = reuse(joined(tokens(220), tokens(10, 9000)));
  ASSERT_NE(branch, nullptr);
  EXPECT_EQ(branch->length(), 220U);
  EXPECT_EQ(pool_.global().in_use(), blocks);  // nothing was copied
  EXPECT_EQ(kept_.size(), 1U);
  const auto next_turn = reuse(joined(tokens(295), tokens(10, 9000)));
  ASSERT_NE(next_turn, nullptr);
  EXPECT_EQ(next_turn->length(), 295U);
  EXPECT_EQ(kept_.size(), 0U);
  EXPECT_EQ(reuse(tokens(400)), nullptr);
}

TEST_F(KeptSequencesTest, OfAConversationOnlyItsLastStateIsKept) {
  keep(tokens(300));
  keep(tokens(280));                             // another branch, shorter
  keep(joined(tokens(290), tokens(100, 9000)));  // goes on from both but for a few tokens
  EXPECT_EQ(kept_.size(), 1U);
  keep(joined(tokens(200), tokens(100, 5000)));  // shares less
  EXPECT_EQ(kept_.size(), 2U);
  keep(joined(tokens(290), tokens(200, 9000)), "other");
  EXPECT_EQ(kept_.size(), 3U);
  keep(PromptTokens{});
  EXPECT_EQ(kept_.size(), 3U);
}

TEST_F(KeptSequencesTest, ForgetsWhatWasNotUsedForTheLongestTime) {
  for (TokenId first : {1000, 2000, 3000}) keep(tokens(200, first));
  const auto used = reuse(joined(tokens(120, 1000), tokens(5)));
  ASSERT_NE(used, nullptr);
  EXPECT_TRUE(kept_.forget_oldest());
  EXPECT_EQ(prefix(tokens(200, 2000)), 0U);
  EXPECT_EQ(prefix(tokens(200, 1000)), 199U);
  EXPECT_TRUE(kept_.forget_oldest());
  EXPECT_EQ(prefix(tokens(200, 3000)), 0U);
  EXPECT_TRUE(kept_.forget_oldest());
  EXPECT_FALSE(kept_.forget_oldest());
  EXPECT_EQ(pool_.global().in_use(), 2U);  // what the branch still shares
}

TEST_F(KeptSequencesTest, ImagesAreReusedAsAWhole) {
  const auto with_image = [](std::uint8_t key) {
    PromptTokens prompt = tokens(200);
    prompt.spans.push_back({.begin = 150, .end = 170, .key = {std::byte{key}}});
    return prompt;
  };
  keep(with_image(1));
  EXPECT_EQ(prefix(with_image(1)), 199U);
  EXPECT_EQ(prefix(with_image(2)), 150U);
  PromptTokens short_one = with_image(1);
  short_one.ids.resize(171);
  EXPECT_EQ(prefix(short_one), 170U);
  short_one.ids.resize(170);
  EXPECT_EQ(prefix(short_one), 150U);
}

}  // namespace
}  // namespace carat::engine
