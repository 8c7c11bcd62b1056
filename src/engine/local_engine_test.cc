// What becomes of one request after another; see many_requests_test.cc for several at a time.

#include "engine/local_engine.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <stop_token>
#include <string>

#include "engine/test_requests.h"

namespace carat::engine {
namespace {

using prompt::GenerationRequest;
using prompt::Markup;
using prompt::PlainText;
using prompt::TokenIds;
using testing::AllOf;
using testing::HasSubstr;

const tokenizer::Tokenizer& tokenizer() { return *tiny_chat().model->tokenizer; }

TEST_F(LocalEngineTest, TheSameSeedGivesTheSameTextWhateverTheChunks) {
  const GenerationRequest request = ask({PlainText{words(100)}});
  const GenerationResult expected = answer(request);
  EXPECT_EQ(expected.ids.size(), 40U);
  for (const std::size_t chunk : {1, 7, 64, 512}) {
    LocalEngineOptions chunked = options();
    chunked.prefill_chunk = chunk;
    restart(chunked);
    EXPECT_EQ(answer(request).ids, expected.ids) << "chunks of " << chunk;
  }
  GenerationRequest other_seed = request;
  other_seed.sampling.seed = 12;
  EXPECT_NE(fresh_answer(other_seed).ids, expected.ids);
}

TEST_F(LocalEngineTest, CandidatesGiveTheSameTextAsAllLogits) {
  GenerationRequest request = ask({PlainText{words(30)}});
  request.sampling.logit_bias.clear();
  const GenerationResult from_candidates = answer(request);
  request.sampling.logit_bias = {{300, 0.0F}};  // asks for all logits and changes none
  EXPECT_EQ(fresh_answer(request).ids, from_candidates.ids);
}

TEST_F(LocalEngineTest, TheNextTurnReadsOnlyWhatIsNew) {
  const GenerationResult first = answer(ask({PlainText{words(50)}}));
  EXPECT_EQ(first.usage.cached_tokens, 0U);
  const GenerationRequest next = ask({PlainText{words(50)}, TokenIds{first.ids}, PlainText{" in an"}});
  const GenerationResult second = answer(next);
  // The last token of an answer was never run.
  EXPECT_EQ(second.usage.cached_tokens, first.usage.prompt_tokens + first.ids.size() - 1);
  EXPECT_EQ(engine_->status().kept, 1U);  // of one conversation, its last state
  EXPECT_EQ(second.ids, fresh_answer(next).ids);
}

TEST_F(LocalEngineTest, TheSameQuestionAgainRollsTheAnswerBack) {
  const GenerationRequest request = ask({PlainText{words(50)}});
  const GenerationResult first = answer(request);
  const GenerationResult second = answer(request);
  EXPECT_EQ(second.usage.cached_tokens, second.usage.prompt_tokens - 1);
  EXPECT_EQ(second.ids, first.ids);
}

TEST_F(LocalEngineTest, TheCacheCanBeLeftAlone) {
  GenerationRequest request = ask({PlainText{words(50)}});
  const GenerationResult first = answer(request);
  request.reuse_cache = false;
  const GenerationResult second = answer(request);
  EXPECT_EQ(second.usage.cached_tokens, 0U);
  EXPECT_EQ(second.ids, first.ids);
}

TEST_F(LocalEngineTest, APrefixWhoseWindowIsGoneIsReadAnew) {
  answer(ask({PlainText{words(300)}}));
  const GenerationRequest branch = ask({PlainText{words(100)}, PlainText{" an"}});
  const GenerationResult result = answer(branch);
  EXPECT_EQ(result.usage.cached_tokens, 0U);
  EXPECT_EQ(result.ids, fresh_answer(branch).ids);
}

TEST_F(LocalEngineTest, RandomConversationsNeverDependOnTheCache) {
  std::vector<GenerationRequest> requests;
  for (std::size_t turn = 0; turn < 12; ++turn) {
    requests.push_back(
        ask({PlainText{words(20 + turn * 37 % 150)}, PlainText{words(turn * turn % 7)}}, /*max_tokens=*/8));
  }
  std::vector<std::vector<TokenId>> cached;
  for (const GenerationRequest& request : requests) cached.push_back(answer(request).ids);
  for (std::size_t turn = 0; turn < requests.size(); ++turn) {
    EXPECT_EQ(cached[turn], fresh_answer(requests[turn]).ids) << "turn " << turn;
  }
}

TEST_F(LocalEngineTest, APromptStartsWithExactlyOneBos) {
  const GenerationResult expected = answer(ask({PlainText{" the"}}));
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
  GenerationRequest as_it_is = ask({PlainText{" the"}});
  as_it_is.one_bos = false;
  EXPECT_EQ(engine_->count_tokens(as_it_is).value(), 1U);
  EXPECT_EQ(fresh_answer(as_it_is).usage.prompt_tokens, 1U);
  as_it_is.prompt.clear();
  EXPECT_FALSE(engine_->submit(as_it_is, std::make_shared<Recorder>(), {}));
}

TEST_F(LocalEngineTest, AnEmptyPromptIsTheBosAlone) { EXPECT_EQ(answer(ask({})).usage.prompt_tokens, 1U); }

TEST_F(LocalEngineTest, APromptWithoutRoomForAnAnswerIsAnErrorWithBothNumbers) {
  const GenerationResult fits = answer(ask({PlainText{words(398)}}));
  EXPECT_EQ(fits.usage.prompt_tokens, 399U);
  EXPECT_EQ(fits.ids.size(), 1U);
  EXPECT_TRUE(fits.context_full);
  GenerationRequest longer = ask({PlainText{words(399)}});
  const auto refused = engine_->submit(longer, std::make_shared<Recorder>(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kContextExceeded);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("has 400 tokens"), HasSubstr("context of 400 tokens")));
  EXPECT_EQ(engine_->count_tokens(longer).value(), 400U);
  longer.sampling.max_tokens = 0;
  EXPECT_TRUE(answer(longer).ids.empty());
}

TEST_F(LocalEngineTest, SaysWhetherMaxTokensOrTheContextEndedTheAnswer) {
  const GenerationResult limited = answer(ask({PlainText{words(49)}}, /*max_tokens=*/5));
  EXPECT_EQ(limited.finish, FinishReason::kLength);
  EXPECT_FALSE(limited.context_full);
  EXPECT_EQ(limited.ids.size(), 5U);
  GenerationRequest endless = ask({PlainText{words(49)}});
  endless.sampling.max_tokens.reset();
  const GenerationResult full = answer(endless);
  EXPECT_EQ(full.finish, FinishReason::kLength);
  EXPECT_TRUE(full.context_full);
  EXPECT_EQ(full.usage.prompt_tokens + full.usage.generated_tokens, 400U);
}

TEST_F(LocalEngineTest, AStopStringEndsTheAnswerBeforeIt) {
  const GenerationResult whole = answer(ask({PlainText{words(10)}}));
  ASSERT_GT(whole.text.size(), 30U);
  std::size_t cut = 15;  // not inside a character
  while ((static_cast<unsigned char>(whole.text[cut]) & 0xC0) == 0x80) ++cut;
  std::size_t end = cut + 4;
  while ((static_cast<unsigned char>(whole.text[end]) & 0xC0) == 0x80) ++end;
  GenerationRequest request = ask({PlainText{words(10)}});
  request.sampling.stop = {"never", whole.text.substr(cut, end - cut)};
  const GenerationResult stopped = answer(request);
  EXPECT_EQ(stopped.finish, FinishReason::kStop);
  EXPECT_EQ(stopped.stop_string, request.sampling.stop[1]);
  EXPECT_EQ(stopped.text, whole.text.substr(0, whole.text.find(request.sampling.stop[1])));
  EXPECT_EQ(tokenizer().decode(stopped.ids, false), stopped.text);
}

TEST_F(LocalEngineTest, EndOfGenerationTokensEndTheAnswerAndAreNotShown) {
  GenerationRequest request = ask({PlainText{" the"}});
  request.sampling.logit_bias = {{tokenizer().eos().value(), 100.0F}};
  const GenerationResult result = answer(request);
  EXPECT_EQ(result.finish, FinishReason::kStop);
  EXPECT_EQ(result.text, "");
  EXPECT_EQ(result.stop_string, "");
  EXPECT_TRUE(result.ids.empty());
  EXPECT_EQ(result.usage.generated_tokens, 1U);
}

TEST_F(LocalEngineTest, ControlTokensAreNeverSampled) {
  GenerationRequest request = ask({PlainText{" the"}});
  for (const TokenId forbidden : {TokenId{0}, TokenId{2}, TokenId{3}, *tokenizer().start_of_turn()}) {
    request.sampling.logit_bias.push_back({forbidden, 100.0F});
  }
  for (const TokenId id : answer(request).ids) EXPECT_FALSE(tokenizer().is_control(id));
}

TEST_F(LocalEngineTest, EventsSpellTheAnswer) {
  const auto recorder = submit(ask({PlainText{words(20)}}));
  std::string text;
  std::string bytes;
  for (const TokenEvent& event : recorder->events<TokenEvent>()) {
    text += event.text;
    bytes += event.bytes;
  }
  for (const TrailingText& event : recorder->events<TrailingText>()) text += event.text;
  EXPECT_EQ(text, recorder->result().text);
  EXPECT_FALSE(bytes.empty());
  EXPECT_EQ(tokenizer().decode(tokenizer().encode(bytes, tokenizer::ControlTokens::kAsText), false), text);
}

TEST_F(LocalEngineTest, AnInterruptedAnswerIsKeptAndCanGoOn) {
  const GenerationResult whole = answer(ask({PlainText{words(60)}}));
  restart();
  std::stop_source stop;
  std::size_t tokens = 0;
  const auto interrupted = submit(
      ask({PlainText{words(60)}}),
      [&](const Event& event) {
        if (std::holds_alternative<TokenEvent>(event) && ++tokens == 15) stop.request_stop();
      },
      stop.get_token());
  EXPECT_EQ(interrupted->result().finish, FinishReason::kInterrupted);
  EXPECT_EQ(interrupted->result().ids, std::vector(whole.ids.begin(), whole.ids.begin() + 15));

  // Draws depend on the position alone, so the rest of the answer is the same.
  const GenerationResult rest =
      answer(ask({PlainText{words(60)}, TokenIds{interrupted->result().ids}}, /*max_tokens=*/25));
  EXPECT_EQ(rest.usage.cached_tokens, 61U + 14U);
  EXPECT_EQ(rest.ids, std::vector(whole.ids.begin() + 15, whole.ids.end()));
}

TEST_F(LocalEngineTest, AnInterruptedPrefillKeepsWhatWasRead) {
  LocalEngineOptions chunked = options();
  chunked.prefill_chunk = 32;
  restart(chunked);
  std::stop_source stop;
  const auto interrupted = submit(
      ask({PlainText{words(200)}}),
      [&](const Event& event) {
        if (std::holds_alternative<PrefillProgress>(event)) stop.request_stop();
      },
      stop.get_token());
  EXPECT_EQ(interrupted->result().finish, FinishReason::kInterrupted);
  EXPECT_TRUE(interrupted->result().ids.empty());
  const GenerationResult result = answer(ask({PlainText{words(200)}}));
  EXPECT_EQ(result.usage.cached_tokens, 32U);
  EXPECT_EQ(result.ids, fresh_answer(ask({PlainText{words(200)}})).ids);
}

TEST_F(LocalEngineTest, ReportsPrefillAndTimes) {
  using std::chrono::milliseconds;
  LocalEngineOptions chunked = options();
  chunked.prefill_chunk = 40;
  restart(chunked);
  Gate gate(*engine_);
  const auto recorder = submit(ask({PlainText{words(99)}}), [&](const Event& event) {
    if (std::holds_alternative<PrefillProgress>(event)) clock_.advance(milliseconds(1000));
    if (std::holds_alternative<TokenEvent>(event)) clock_.advance(milliseconds(250));
  });
  clock_.advance(milliseconds(5000));
  gate.open();
  const GenerationResult& result = recorder->result();
  EXPECT_EQ(result.usage.queue_seconds, 5.0);
  EXPECT_EQ(result.usage.prefill_seconds, 3.0);
  EXPECT_EQ(result.usage.decode_seconds, 10.0);
  EXPECT_EQ(result.usage.generated_tokens, 40U);
  const auto progress = recorder->events<PrefillProgress>();
  ASSERT_EQ(progress.size(), 3U);
  EXPECT_EQ(progress[0].done, 40U);
  EXPECT_EQ(progress[1].done, 80U);
  EXPECT_EQ(progress[2].done, 100U);
  EXPECT_EQ(progress[0].total, 100U);
}

TEST_F(LocalEngineTest, LogprobsComeWithTheirTokens) {
  GenerationRequest request = ask({PlainText{words(20)}});
  request.sampling.logprobs = 582;  // all of them
  EXPECT_FALSE(engine_->submit(request, std::make_shared<Recorder>(), {})) << "more than the API allows";
  request.sampling.logprobs = 20;
  request.sampling.temperature = 0.0F;
  const auto tokens = submit(request)->events<TokenEvent>();
  ASSERT_EQ(tokens.size(), 40U);
  for (const TokenEvent& event : tokens) {
    ASSERT_TRUE(event.logprobs);
    EXPECT_EQ(event.logprobs->chosen.token, event.token);
    EXPECT_EQ(event.logprobs->chosen.bytes, event.bytes);
    ASSERT_EQ(event.logprobs->top.size(), 20U);
    EXPECT_EQ(event.logprobs->top[3].bytes, tokenizer().piece(event.logprobs->top[3].token));
    EXPECT_LT(event.logprobs->chosen.logprob, 0.0F);
  }
}

// The model's own log-probability of each token after its first, by the dullest means: one token a step.
std::vector<double> expected_logprobs(const std::vector<TokenId>& ids) {
  model::Model& model = *tiny_chat().model->model;
  const model::KvGeometry geometry(model.config(), tensor::KvType::kF32);
  KvPool pool(geometry, {.global_blocks = 10, .local_blocks = 10});
  KvSequence sequence(pool, 0);
  std::vector<double> out;
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
    EXPECT_TRUE(sequence.prepare(1));
    model::Row row;
    row.token = ids[i];
    row.position = static_cast<std::uint32_t>(i);
    row.output = model::RowOutput::kLogits;
    const model::SequenceKv view = sequence.view();
    model::BatchOutput output;
    EXPECT_TRUE(
        model.forward({.rows = {&row, 1}, .sequences = {&view, 1}, .geometry = &geometry}, {}, output));
    sequence.advance(1);
    double sum = 0;
    for (const float logit : output.logits[0]) sum += std::exp(static_cast<double>(logit));
    out.push_back(output.logits[0][static_cast<std::size_t>(ids[i + 1])] - std::log(sum));
  }
  return out;
}

TEST_F(LocalEngineTest, TellsTheLogprobsOfThePrompt) {
  GenerationRequest request = ask({PlainText{words(90)}, PlainText{"in an end"}}, /*max_tokens=*/1);
  answer(request);  // what is in the cache yields no logits, and is read anew
  request.prompt_logprobs = 3;
  const auto recorder = submit(request);
  EXPECT_EQ(recorder->result().usage.cached_tokens, 0U);
  EXPECT_EQ(recorder->result().ids.size(), 1U);
  std::vector<PromptTokensEvent::Entry> entries;
  for (const PromptTokensEvent& event : recorder->events<PromptTokensEvent>()) {
    EXPECT_EQ(event.first, entries.size());
    EXPECT_LE(event.entries.size(), 33U);  // a row of logits may be 1 MiB
    entries.insert(entries.end(), event.entries.begin(), event.entries.end());
  }
  ASSERT_EQ(entries.size(), recorder->result().usage.prompt_tokens);
  EXPECT_FALSE(entries[0].logprobs);
  std::vector<TokenId> ids;
  for (const auto& entry : entries) ids.push_back(entry.token);
  engine_.reset();
  const std::vector<double> expected = expected_logprobs(ids);
  for (std::size_t i = 1; i < entries.size(); ++i) {
    ASSERT_TRUE(entries[i].logprobs) << i;
    EXPECT_NEAR(entries[i].logprobs->chosen.logprob, expected[i - 1], 2e-6) << i;
    EXPECT_EQ(entries[i].logprobs->chosen.token, ids[i]);
    ASSERT_EQ(entries[i].logprobs->top.size(), 3U);
    EXPECT_GE(entries[i].logprobs->top[0].logprob, entries[i].logprobs->chosen.logprob);
  }
}

TEST_F(LocalEngineTest, ReadsAPromptWithoutAnswering) {
  GenerationRequest request = ask({PlainText{words(50)}}, /*max_tokens=*/0);
  request.prompt_logprobs = 0;
  const auto recorder = submit(request);
  EXPECT_EQ(recorder->result().finish, FinishReason::kLength);
  EXPECT_EQ(recorder->result().usage.generated_tokens, 0U);
  EXPECT_TRUE(recorder->events<TokenEvent>().empty());
  std::size_t entries = 0;
  for (const PromptTokensEvent& event : recorder->events<PromptTokensEvent>())
    entries += event.entries.size();
  EXPECT_EQ(entries, 51U);
  GenerationRequest alone = ask({}, /*max_tokens=*/0);
  alone.prompt_logprobs = 1;
  EXPECT_EQ(submit(alone)->events<PromptTokensEvent>().at(0).entries.size(), 1U);
}

TEST_F(LocalEngineTest, WithoutASeedItReportsTheOneItTook) {
  GenerationRequest request = ask({PlainText{words(20)}});
  request.sampling.seed.reset();
  const GenerationResult first = answer(request);
  const std::uint64_t second = answer(request).seed;
  EXPECT_NE(second, first.seed);
  EXPECT_LT(std::max(first.seed, second), std::uint64_t{1} << 53);  // what a double, and so JSON, can hold
  request.sampling.seed = first.seed;
  EXPECT_EQ(answer(request).ids, first.ids);
}

TEST_F(LocalEngineTest, RefusesOptionsThatCannotWork) {
  const auto refused = [&](auto change) {
    LocalEngineOptions wrong = options();
    change(wrong);
    const auto made = LocalEngine::create(*tiny_chat().model, wrong, clock_);
    EXPECT_FALSE(made);
    return made ? Error{} : made.error();
  };
  EXPECT_THAT(refused([](auto& o) { o.context_length = 513; }).message,
              AllOf(HasSubstr("512"), HasSubstr("513")));
  EXPECT_EQ(refused([](auto& o) { o.context_length = 1; }).kind, ErrorKind::kUsage);
  EXPECT_EQ(refused([](auto& o) { o.prefill_chunk = 0; }).kind, ErrorKind::kUsage);
  EXPECT_EQ(refused([](auto& o) { o.conversations = 0; }).kind, ErrorKind::kUsage);
  EXPECT_EQ(refused([](auto& o) { o.max_running = 0; }).kind, ErrorKind::kUsage);
  EXPECT_EQ(refused([](auto& o) { o.max_waiting = 0; }).kind, ErrorKind::kUsage);
  EXPECT_EQ(refused([](auto& o) { o.max_kv_bytes = 10'000; }).kind, ErrorKind::kDoesNotFit);
}

TEST_F(LocalEngineTest, HugeOptionsAreHarmless) {
  const GenerationRequest request = ask({PlainText{words(100)}});
  const GenerationResult expected = answer(request);
  LocalEngineOptions huge = options();
  huge.prefill_chunk = SIZE_MAX;
  huge.rollback_tokens = SIZE_MAX;
  huge.max_running = SIZE_MAX;
  huge.max_waiting = SIZE_MAX;
  huge.step_seconds = 1e300;
  restart(huge);
  EXPECT_EQ(answer(request).ids, expected.ids);
  huge.conversations = SIZE_MAX;
  EXPECT_FALSE(LocalEngine::create(*tiny_chat().model, huge, clock_));
}

TEST_F(LocalEngineTest, RefusesRequestsOutOfRange) {
  const auto refused = [&](const GenerationRequest& request) {
    const auto result = engine_->submit(request, std::make_shared<Recorder>(), {});
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
  };
  GenerationRequest request = ask({PlainText{" the"}});
  request.sampling.temperature = -1.0F;
  EXPECT_EQ(refused(request).kind, ErrorKind::kUsage);
  request = ask({PlainText{" the"}});
  request.prompt_logprobs = 21;
  EXPECT_THAT(refused(request).message, HasSubstr("prompt_logprobs"));
  request.prompt_logprobs.reset();
  request.owner = std::string(257, 'x');
  EXPECT_THAT(refused(request).message, HasSubstr("owner"));
  for (const TokenId id : {TokenId{-1}, TokenId{582}}) {
    const Error error = refused(ask({TokenIds{{5, id}}}));
    EXPECT_EQ(error.kind, ErrorKind::kUsage);
    EXPECT_THAT(error.message, HasSubstr("582 tokens"));
  }
}

TEST_F(LocalEngineTest, SaysWhatItCanDo) {
  const Capabilities capabilities = engine_->capabilities();
  EXPECT_EQ(capabilities.context_length, 400U);
  EXPECT_EQ(capabilities.vocabulary_size, 582U);
  EXPECT_TRUE(capabilities.token_prompts && capabilities.seeded && capabilities.prompt_logprobs);
  EXPECT_FALSE(capabilities.images);
  EXPECT_NE(engine_->tokenizer(), nullptr);
}

TEST_F(LocalEngineTest, GenerateHandsEventsToItsCallersThread) {
  const std::thread::id here = std::this_thread::get_id();
  std::string text;
  const auto result = generate(*engine_, ask({PlainText{words(20)}}),
                               [&](const Event& event) {
                                 EXPECT_EQ(std::this_thread::get_id(), here);
                                 if (const auto* token = std::get_if<TokenEvent>(&event)) text += token->text;
                                 if (const auto* rest = std::get_if<TrailingText>(&event)) text += rest->text;
                               },
                               {});
  ASSERT_TRUE(result);
  EXPECT_EQ(text, result->text);
  EXPECT_FALSE(generate(*engine_, ask({TokenIds{{-1}}}), [](const Event&) {}, {}));
}

}  // namespace
}  // namespace carat::engine
