#include "session/plan_turn.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <memory>
#include <string>
#include <vector>

#include "backend/reference/reference_backend.h"
#include "base/clock.h"
#include "base/test_fixture.h"
#include "chat/prompt_style.h"
#include "engine/local_engine.h"
#include "engine/testing/scripted_engine.h"
#include "session/prompt_hash.h"

namespace carat::session {
namespace {

using chat::PromptStyle;
using prompt::Message;
using prompt::Role;

prompt::GenerationRequest rendered(PromptStyle style, std::vector<Message> messages) {
  prompt::GenerationRequest request;
  request.prompt = chat::render(style, messages).value();
  request.messages = std::move(messages);
  return request;
}

class PlanTurnTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = engine::load_model(test_fixture("tiny_models/chat"), backend::make_reference_backend(), {}, {})
                 .value();
    engine_ = engine::LocalEngine::create(*model_, {.context_length = 500}, clock_).value();
  }

  SteadyClock clock_;
  std::unique_ptr<engine::LoadedModel> model_;
  std::unique_ptr<engine::Engine> engine_;
};

TEST_F(PlanTurnTest, RangesOfTheTurnsCoverThePrompt) {
  for (const PromptStyle style : {PromptStyle::kGemma, PromptStyle::kDialogue}) {
    SCOPED_TRACE(chat::name_of(style));
    const auto request = rendered(style, {{Role::kSystem, "be brief", {}},
                                          {Role::kUser, "the hen", {}},
                                          {Role::kAssistant, "a pen", {}},
                                          {Role::kUser, "is it?", {}}});
    const std::vector<std::string> sources = {"", "one", "two", ""};
    const auto plan = plan_turn(*engine_, request, sources);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(plan->tokens, engine_->count_tokens(request).value());
    ASSERT_EQ(plan->pieces.size(), 4U);
    EXPECT_EQ(plan->pieces[0].kind, chat::ContextPlan::Kind::kSystem);
    EXPECT_FALSE(plan->pieces[0].range);
    EXPECT_GT(plan->pieces[0].tokens, 0U);
    std::size_t end = 0;
    for (std::size_t i = 1; i < 4; ++i) {
      EXPECT_EQ(plan->pieces[i].range->begin, end);
      end = plan->pieces[i].range->end;
      EXPECT_EQ(plan->pieces[i].source, sources[i]);
    }
    EXPECT_EQ(end, plan->tokens);
    // The first turn alone ends where the second begins.
    const auto first = rendered(style, {request.messages[0], request.messages[1]});
    EXPECT_EQ(plan->pieces[1].range->end, engine_->count_tokens(first).value());
  }
}

TEST_F(PlanTurnTest, WhatLeavesNoRoomIsRefusedWithBothNumbers) {
  std::string text;
  for (int i = 0; i < 600; ++i) text += " the";
  const auto plan =
      plan_turn(*engine_, rendered(PromptStyle::kGemma, {{Role::kUser, text, {}}}), {{std::string()}});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().kind, ErrorKind::kContextExceeded);
  EXPECT_NE(plan.error().message.find("context of 500 tokens"), std::string::npos);
}

TEST_F(PlanTurnTest, JsonHasAVersionAndNullForWhatIsNotKnown) {
  engine::ScriptedEngine scripted((engine::Script()));
  const auto plan =
      plan_turn(scripted, rendered(PromptStyle::kGemma, {{Role::kUser, "a", {}}}), {{std::string()}});
  ASSERT_TRUE(plan);
  const boost::json::value expected =
      boost::json::parse(R"({"version": 1, "policy": "strict", "context": 4096,
      "tokens": null, "pieces": [{"id": 0, "kind": "turn", "role": "user", "source": null, "state": "kept",
      "reason": "fits", "tokens": null, "begin": null, "end": null}]})");
  EXPECT_EQ(boost::json::parse(chat::to_json(*plan)), expected);
}

TEST(PromptHashTest, TellsPromptsApart) {
  const std::vector<std::vector<prompt::Piece>> prompts = {
      {prompt::PlainText{"ab"}},
      {prompt::Markup{"ab"}},
      {prompt::PlainText{"a"}, prompt::PlainText{"b"}},
      {prompt::TokenIds{{97, 98}}},
      {prompt::TokenIds{{98, 97}}},
  };
  for (std::size_t a = 0; a < prompts.size(); ++a) {
    for (std::size_t b = 0; b < prompts.size(); ++b)
      EXPECT_EQ(prompt_hash(prompts[a]) == prompt_hash(prompts[b]), a == b) << a << " " << b;
  }
}

}  // namespace
}  // namespace carat::session
