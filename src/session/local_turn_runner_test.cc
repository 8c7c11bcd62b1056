#include "session/local_turn_runner.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "backend/reference/reference_backend.h"
#include "base/clock.h"
#include "base/test_fixture.h"
#include "engine/local_engine.h"

namespace carat::session {
namespace {

using prompt::Message;
using prompt::Role;

class LocalTurnRunnerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded =
        engine::load_model(test_fixture("tiny_models/chat"), backend::make_reference_backend(), {}, {});
    ASSERT_TRUE(loaded) << loaded.error().message;
    model_ = std::move(*loaded);
    start_engine();
  }

  void start_engine() {
    engine_.reset();  // one at a time uses the model
    auto engine = engine::LocalEngine::create(*model_, {.context_length = 500}, clock_);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(*engine);
  }

  engine::GenerationResult answer(const std::vector<Message>& messages, chat::PromptStyle style) {
    prompt::SamplingParams sampling;
    sampling.seed = 1;
    sampling.max_tokens = 5;
    LocalTurnRunner runner(*model_, *engine_, style);
    auto result = runner.answer(messages, sampling, [](const engine::Event&) {}, {});
    EXPECT_TRUE(result) << result.error().message;
    return result.value_or(engine::GenerationResult());
  }

  SteadyClock clock_;
  std::unique_ptr<engine::LoadedModel> model_;
  std::unique_ptr<engine::Engine> engine_;
};

TEST_F(LocalTurnRunnerTest, TheNextTurnFindsAllOfThisOneInTheCache) {
  for (const chat::PromptStyle style : {chat::PromptStyle::kGemma, chat::PromptStyle::kDialogue}) {
    SCOPED_TRACE(chat::name_of(style));
    start_engine();
    std::vector<Message> messages = {{Role::kUser, "hello", {}}};
    const engine::GenerationResult first = answer(messages, style);
    EXPECT_EQ(first.usage.cached_tokens, 0U);
    messages.push_back({Role::kAssistant, first.text, first.ids});
    messages.push_back({Role::kUser, "more", {}});
    const engine::GenerationResult second = answer(messages, style);
    // The last token of an answer is sampled, but never run through the model.
    EXPECT_GE(second.usage.cached_tokens + 1, first.usage.prompt_tokens + first.ids.size());
  }
}

TEST_F(LocalTurnRunnerTest, RolesOutOfTurnAreRefused) {
  LocalTurnRunner runner(*model_, *engine_, chat::PromptStyle::kGemma);
  const std::vector<Message> messages = {{Role::kAssistant, "hello", {}}};
  const auto result = runner.answer(messages, {}, [](const engine::Event&) {}, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kUsage);
}

TEST_F(LocalTurnRunnerTest, IdsMustSpellTheirText) {
  const LocalTurnRunner runner(*model_, *engine_, chat::PromptStyle::kGemma);
  const std::vector<TokenId> ids = model_->tokenizer->encode("the hen", tokenizer::ControlTokens::kAsText);
  EXPECT_TRUE(runner.ids_spell_text({Role::kAssistant, "the hen", ids}));
  EXPECT_FALSE(runner.ids_spell_text({Role::kAssistant, "the pen", ids}));

  // Hidden in the text, but a turn to the model; and no token at all.
  for (const TokenId extra : {*model_->tokenizer->start_of_turn(), TokenId{582}, TokenId{2'000'000'000}}) {
    std::vector<TokenId> longer = ids;
    longer.push_back(extra);
    EXPECT_FALSE(runner.ids_spell_text({Role::kAssistant, "the hen", longer})) << extra;
  }
}

}  // namespace
}  // namespace carat::session
