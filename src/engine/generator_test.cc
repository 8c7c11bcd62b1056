#include "engine/generator.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <stdexcept>
#include <stop_token>
#include <string>

#include "backend/reference/reference_backend.h"
#include "base/test_fixture.h"

namespace carat::engine {
namespace {

using prompt::GenerationRequest;
using prompt::Markup;
using prompt::PlainText;
using prompt::TokenIds;
using testing::AllOf;
using testing::HasSubstr;

// The model has random weights, a window of 16 positions in one of its two layers and a context of 512.
LoadedModel& tiny_model() {
  static const std::unique_ptr<LoadedModel> model =
      load_model(test_fixture("tiny_models/chat"), backend::make_reference_backend(), [](auto, auto) {}, {})
          .value();
  return *model;
}

class TickingClock final : public Clock {
 public:
  std::chrono::nanoseconds now() const override { return ++seconds_; }

 private:
  mutable std::chrono::seconds seconds_{0};
};

// What came out of one call, by kind.
struct Events {
  std::vector<PrefillProgress> progress;
  std::vector<TokenEvent> tokens;
  std::string text;

  EventSink sink() {
    return [this](const Event& event) {
      if (const auto* step = std::get_if<PrefillProgress>(&event)) progress.push_back(*step);
      if (const auto* token = std::get_if<TokenEvent>(&event)) {
        tokens.push_back(*token);
        text += token->text;
      }
      if (const auto* trailing = std::get_if<TrailingText>(&event)) text += trailing->text;
    };
  }
};

std::string words(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += i % 3 == 0 ? " the" : i % 3 == 1 ? " is" : " a";
  return text;
}

GenerationRequest ask(std::vector<prompt::Piece> pieces, std::uint32_t max_tokens = 40) {
  GenerationRequest request{.prompt = std::move(pieces), .sampling = {}};
  request.sampling.seed = 11;
  request.sampling.max_tokens = max_tokens;
  request.sampling.logit_bias = {{1, -100.0F}};  // an answer of random weights should not end by chance
  if (const auto end = tiny_model().tokenizer->end_of_turn())
    request.sampling.logit_bias.push_back({*end, -100.0F});
  return request;
}

class GeneratorTest : public testing::Test {
 protected:
  static GeneratorOptions options() {
    GeneratorOptions options;
    options.context_length = 400;
    options.rollback_tokens = 64;
    options.kv_type = tensor::KvType::kF32;
    return options;
  }

  std::unique_ptr<Generator> make(const GeneratorOptions& options) const {
    return Generator::create(tiny_model(), options, clock_).value();
  }

  static GenerationResult answer(Generator& generator, const GenerationRequest& request) {
    Events events;
    Result<GenerationResult> result = generator.generate(request, events.sink(), {});
    if (!result) throw std::runtime_error(result.error().message);
    EXPECT_EQ(events.text, result->text);
    return std::move(*result);
  }
  GenerationResult fresh_answer(const GenerationRequest& request) const {
    const auto generator = make(options());
    return answer(*generator, request);
  }

  TickingClock clock_;
  std::unique_ptr<Generator> generator_ = make(options());
};

TEST_F(GeneratorTest, TheSameSeedGivesTheSameTextWhateverTheChunks) {
  const GenerationRequest request = ask({PlainText{words(100)}});
  const GenerationResult expected = answer(*generator_, request);
  EXPECT_EQ(expected.ids.size(), 40U);
  for (const std::size_t chunk : {1, 7, 64, 512}) {
    GeneratorOptions chunked = options();
    chunked.prefill_chunk = chunk;
    EXPECT_EQ(answer(*make(chunked), request).ids, expected.ids) << "chunks of " << chunk;
  }
  GenerationRequest other_seed = request;
  other_seed.sampling.seed = 12;
  EXPECT_NE(fresh_answer(other_seed).ids, expected.ids);
}

TEST_F(GeneratorTest, CandidatesGiveTheSameTextAsAllLogits) {
  GenerationRequest request = ask({PlainText{words(30)}});
  request.sampling.logit_bias.clear();
  const GenerationResult from_candidates = answer(*generator_, request);
  request.sampling.logit_bias = {{300, 0.0F}};  // asks for all logits and changes none
  EXPECT_EQ(fresh_answer(request).ids, from_candidates.ids);
}

TEST_F(GeneratorTest, TheNextTurnReadsOnlyWhatIsNew) {
  const GenerationResult first = answer(*generator_, ask({PlainText{words(50)}}));
  EXPECT_EQ(first.usage.cached_tokens, 0U);
  const GenerationRequest next = ask({PlainText{words(50)}, TokenIds{first.ids}, PlainText{" in an"}});
  const GenerationResult second = answer(*generator_, next);
  // The last token of an answer was never run.
  EXPECT_EQ(second.usage.cached_tokens, first.usage.prompt_tokens + first.ids.size() - 1);
  EXPECT_EQ(second.ids, fresh_answer(next).ids);
}

TEST_F(GeneratorTest, TheSameQuestionAgainRollsTheAnswerBack) {
  const GenerationRequest request = ask({PlainText{words(50)}});
  const GenerationResult first = answer(*generator_, request);
  const GenerationResult second = answer(*generator_, request);
  EXPECT_EQ(second.usage.cached_tokens, second.usage.prompt_tokens - 1);
  EXPECT_EQ(second.ids, first.ids);
}

TEST_F(GeneratorTest, APrefixWhoseWindowIsGoneIsReadAnew) {
  answer(*generator_, ask({PlainText{words(300)}}));
  const GenerationRequest branch = ask({PlainText{words(100)}, PlainText{" an"}});
  const GenerationResult result = answer(*generator_, branch);
  EXPECT_EQ(result.usage.cached_tokens, 0U);
  EXPECT_EQ(result.ids, fresh_answer(branch).ids);
}

TEST_F(GeneratorTest, RandomConversationsNeverDependOnTheCache) {
  for (std::size_t turn = 0; turn < 12; ++turn) {
    const GenerationRequest request =
        ask({PlainText{words(20 + turn * 37 % 150)}, PlainText{words(turn * turn % 7)}}, /*max_tokens=*/8);
    EXPECT_EQ(answer(*generator_, request).ids, fresh_answer(request).ids) << "turn " << turn;
  }
}

TEST_F(GeneratorTest, APromptStartsWithExactlyOneBos) {
  const GenerationResult expected = answer(*generator_, ask({PlainText{" the"}}));
  EXPECT_EQ(expected.usage.prompt_tokens, 2U);
  for (const auto& pieces : std::vector<std::vector<prompt::Piece>>{{Markup{"<bos> the"}},
                                                                    {Markup{"<bos><bos>"}, PlainText{" the"}},
                                                                    {TokenIds{{2}}, PlainText{" the"}}}) {
    const GenerationResult result = fresh_answer(ask(pieces));
    EXPECT_EQ(result.usage.prompt_tokens, 2U);
    EXPECT_EQ(result.ids, expected.ids);
  }
  // A person who types <bos> gets its letters.
  EXPECT_GT(fresh_answer(ask({PlainText{"<bos>"}})).usage.prompt_tokens, 3U);
}

TEST_F(GeneratorTest, AnEmptyPromptIsTheBosAlone) {
  EXPECT_EQ(answer(*generator_, ask({})).usage.prompt_tokens, 1U);
}

TEST_F(GeneratorTest, APromptWithoutRoomForAnAnswerIsAnErrorWithBothNumbers) {
  const auto fits = generator_->generate(ask({PlainText{words(398)}}), Events{}.sink(), {});
  ASSERT_TRUE(fits);
  EXPECT_EQ(fits->usage.prompt_tokens, 399U);
  EXPECT_EQ(fits->ids.size(), 1U);
  EXPECT_TRUE(fits->context_full);
  const auto result = generator_->generate(ask({PlainText{words(399)}}), Events{}.sink(), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kFailed);
  EXPECT_THAT(result.error().message, AllOf(HasSubstr("has 400 tokens"), HasSubstr("context of 400 tokens")));
}

TEST_F(GeneratorTest, SaysWhetherMaxTokensOrTheContextEndedTheAnswer) {
  const GenerationResult limited = answer(*generator_, ask({PlainText{words(49)}}, /*max_tokens=*/5));
  EXPECT_EQ(limited.finish, FinishReason::kLength);
  EXPECT_FALSE(limited.context_full);
  EXPECT_EQ(limited.ids.size(), 5U);
  GenerationRequest endless = ask({PlainText{words(49)}});
  endless.sampling.max_tokens.reset();
  const GenerationResult full = answer(*generator_, endless);
  EXPECT_EQ(full.finish, FinishReason::kLength);
  EXPECT_TRUE(full.context_full);
  EXPECT_EQ(full.usage.prompt_tokens + full.usage.generated_tokens, 400U);
}

TEST_F(GeneratorTest, AStopStringEndsTheAnswerBeforeIt) {
  const GenerationResult whole = answer(*generator_, ask({PlainText{words(10)}}));
  ASSERT_GT(whole.text.size(), 30U);
  std::size_t cut = 15;  // not inside a character
  while ((static_cast<unsigned char>(whole.text[cut]) & 0xC0) == 0x80) ++cut;
  std::size_t end = cut + 4;
  while ((static_cast<unsigned char>(whole.text[end]) & 0xC0) == 0x80) ++end;
  GenerationRequest request = ask({PlainText{words(10)}});
  request.sampling.stop = {whole.text.substr(cut, end - cut)};
  const GenerationResult stopped = answer(*generator_, request);
  EXPECT_EQ(stopped.finish, FinishReason::kStop);
  EXPECT_EQ(stopped.text, whole.text.substr(0, whole.text.find(request.sampling.stop[0])));
  EXPECT_EQ(tiny_model().tokenizer->decode(stopped.ids, false), stopped.text);
}

TEST_F(GeneratorTest, EndOfGenerationTokensEndTheAnswerAndAreNotShown) {
  GenerationRequest request = ask({PlainText{" the"}});
  const TokenId end = tiny_model().tokenizer->eos().value();
  request.sampling.logit_bias = {{end, 100.0F}};
  const GenerationResult result = answer(*generator_, request);
  EXPECT_EQ(result.finish, FinishReason::kStop);
  EXPECT_EQ(result.text, "");
  EXPECT_TRUE(result.ids.empty());
  EXPECT_EQ(result.usage.generated_tokens, 1U);
}

TEST_F(GeneratorTest, ControlTokensAreNeverSampled) {
  GenerationRequest request = ask({PlainText{" the"}});
  for (const TokenId forbidden :
       {TokenId{0}, TokenId{2}, TokenId{3}, *tiny_model().tokenizer->start_of_turn()}) {
    request.sampling.logit_bias.push_back({forbidden, 100.0F});
  }
  for (const TokenId id : answer(*generator_, request).ids)
    EXPECT_FALSE(tiny_model().tokenizer->is_control(id));
}

TEST_F(GeneratorTest, AnInterruptedAnswerIsKeptAndCanGoOn) {
  const GenerationResult whole = answer(*generator_, ask({PlainText{words(60)}}));
  generator_->clear();
  EXPECT_EQ(generator_->kv_bytes(), 0U);

  std::stop_source stop;
  Events events;
  const auto record = events.sink();
  const auto interrupted = generator_->generate(
      ask({PlainText{words(60)}}),
      [&](const Event& event) {
        record(event);
        if (events.tokens.size() == 15) stop.request_stop();
      },
      stop.get_token());
  ASSERT_TRUE(interrupted) << interrupted.error().message;
  EXPECT_EQ(interrupted->finish, FinishReason::kInterrupted);
  EXPECT_EQ(interrupted->ids, std::vector(whole.ids.begin(), whole.ids.begin() + 15));
  EXPECT_EQ(events.text, interrupted->text);

  // Draws depend on the position alone, so the rest of the answer is the same.
  const GenerationResult rest =
      answer(*generator_, ask({PlainText{words(60)}, TokenIds{interrupted->ids}}, /*max_tokens=*/25));
  EXPECT_EQ(rest.usage.cached_tokens, 61U + 14U);
  EXPECT_EQ(rest.ids, std::vector(whole.ids.begin() + 15, whole.ids.end()));
}

TEST_F(GeneratorTest, AnInterruptedPrefillKeepsWhatWasRead) {
  GeneratorOptions chunked = options();
  chunked.prefill_chunk = 32;
  const auto generator = make(chunked);
  std::stop_source stop;
  const auto interrupted = generator->generate(
      ask({PlainText{words(200)}}), [&](const Event&) { stop.request_stop(); }, stop.get_token());
  ASSERT_TRUE(interrupted);
  EXPECT_EQ(interrupted->finish, FinishReason::kInterrupted);
  EXPECT_TRUE(interrupted->ids.empty());
  const GenerationResult result = answer(*generator, ask({PlainText{words(200)}}));
  EXPECT_EQ(result.usage.cached_tokens, 32U);
  EXPECT_EQ(result.ids, fresh_answer(ask({PlainText{words(200)}})).ids);
}

TEST_F(GeneratorTest, ReportsPrefillAndTimes) {
  GeneratorOptions chunked = options();
  chunked.prefill_chunk = 40;
  const auto generator = make(chunked);
  Events events;
  const auto result = generator->generate(ask({PlainText{words(99)}}), events.sink(), {});
  ASSERT_TRUE(result);
  ASSERT_EQ(events.progress.size(), 3U);
  EXPECT_EQ(events.progress[0].done, 40U);
  EXPECT_EQ(events.progress[1].done, 80U);
  EXPECT_EQ(events.progress[2].done, 100U);
  EXPECT_EQ(events.progress[0].total, 100U);
  EXPECT_EQ(result->usage.prefill_seconds, 1.0);  // one tick of the clock
  EXPECT_EQ(result->usage.decode_seconds, 1.0);
  EXPECT_EQ(result->usage.generated_tokens, 40U);
}

TEST_F(GeneratorTest, LogprobsComeWithTheirTokens) {
  GenerationRequest request = ask({PlainText{words(20)}});
  request.sampling.logprobs = 582;  // all of them
  EXPECT_FALSE(generator_->generate(request, Events{}.sink(), {})) << "more than the API allows";
  request.sampling.logprobs = 20;
  request.sampling.temperature = 0.0F;
  Events events;
  ASSERT_TRUE(generator_->generate(request, events.sink(), {}));
  ASSERT_EQ(events.tokens.size(), 40U);
  for (const TokenEvent& event : events.tokens) {
    ASSERT_TRUE(event.logprobs);
    EXPECT_EQ(event.logprobs->chosen.token, event.token);
    ASSERT_EQ(event.logprobs->top.size(), 20U);
    EXPECT_LT(event.logprobs->chosen.logprob, 0.0F);
  }
}

TEST_F(GeneratorTest, WithoutASeedItReportsTheOneItTook) {
  GenerationRequest request = ask({PlainText{words(20)}});
  request.sampling.seed.reset();
  const GenerationResult first = answer(*generator_, request);
  const std::uint64_t second = answer(*generator_, request).seed;
  EXPECT_NE(second, first.seed);
  EXPECT_LT(std::max(first.seed, second), std::uint64_t{1} << 53);  // what a double, and so JSON, can hold
  request.sampling.seed = first.seed;
  EXPECT_EQ(answer(*generator_, request).ids, first.ids);
}

TEST_F(GeneratorTest, RefusesOptionsThatCannotWork) {
  const auto refused = [&](auto change) {
    GeneratorOptions wrong = options();
    change(wrong);
    const auto made = Generator::create(tiny_model(), wrong, clock_);
    EXPECT_FALSE(made);
    return made ? Error{} : made.error();
  };
  EXPECT_THAT(refused([](auto& o) { o.context_length = 513; }).message,
              AllOf(HasSubstr("512"), HasSubstr("513")));
  EXPECT_EQ(refused([](auto& o) { o.context_length = 1; }).kind, ErrorKind::kUsage);
  EXPECT_EQ(refused([](auto& o) { o.prefill_chunk = 0; }).kind, ErrorKind::kUsage);
  EXPECT_EQ(refused([](auto& o) { o.max_kv_bytes = 10'000; }).kind, ErrorKind::kDoesNotFit);
}

TEST_F(GeneratorTest, HugeOptionsAreHarmless) {
  GeneratorOptions huge = options();
  huge.prefill_chunk = SIZE_MAX;
  huge.rollback_tokens = SIZE_MAX;
  EXPECT_EQ(answer(*make(huge), ask({PlainText{words(100)}})).ids,
            fresh_answer(ask({PlainText{words(100)}})).ids);
}

TEST_F(GeneratorTest, RefusesRequestsOutOfRange) {
  GenerationRequest hot = ask({PlainText{" the"}});
  hot.sampling.temperature = -1.0F;
  EXPECT_EQ(generator_->generate(hot, Events{}.sink(), {}).error().kind, ErrorKind::kUsage);
  for (const TokenId id : {TokenId{-1}, TokenId{582}}) {
    const auto result = generator_->generate(ask({TokenIds{{5, id}}}), Events{}.sink(), {});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(result.error().message, HasSubstr("582 tokens"));
  }
}

}  // namespace
}  // namespace carat::engine
