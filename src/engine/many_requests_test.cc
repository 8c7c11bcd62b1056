// Several requests at a time: what they share, how they take turns, and that none sees another in its answer.

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/test_requests.h"

namespace carat::engine {
namespace {

using prompt::GenerationRequest;
using prompt::PlainText;
using prompt::TokenIds;

class ManyRequestsTest : public LocalEngineTest {
 protected:
  static GenerationRequest owned(const std::string& owner, GenerationRequest request) {
    request.owner = owner;
    return request;
  }
  // All of them at once.
  std::vector<std::shared_ptr<Recorder>> together(const std::vector<GenerationRequest>& requests) {
    std::vector<std::shared_ptr<Recorder>> recorders;
    const Gate gate(*engine_);
    for (const GenerationRequest& request : requests) recorders.push_back(submit(request));
    return recorders;
  }
  // Who was admitted, by owner; called on the engine's thread.
  Recorder::Hook noting(std::string owner) {
    return [this, owner = std::move(owner)](const Event& event) {
      if (std::holds_alternative<Admitted>(event)) admitted_ += owner;
    };
  }

  std::string admitted_;
};

std::vector<GenerationRequest> eight_kinds() {
  std::vector<GenerationRequest> requests;
  for (std::size_t i = 0; i < 8; ++i) {
    requests.push_back(ask({PlainText{words(3 + 13 * i)}, PlainText{i % 2 == 0 ? " in" : " end"}},
                           static_cast<std::uint32_t>(10 + 5 * i)));
    requests.back().owner = "owner" + std::to_string(i % 3);
    requests.back().sampling.seed = i;
  }
  requests[1].sampling.temperature = 0;
  requests[2].sampling.logprobs = 4;
  requests[3].sampling.top_k = 5;
  requests[3].sampling.logit_bias.clear();
  requests[4].sampling.repetition_penalty = 1.3F;
  requests[5].prompt_logprobs = 2;
  requests[6].sampling.top_k = 0;
  requests[6].sampling.logprobs = 0;
  requests[7].sampling.stop = {"e"};
  return requests;
}

// Everything that a request is told but times and cache hits.
std::string told(Recorder& recorder) {
  std::string out = recorder.result().text + "\n";
  const auto add = [&out](const Logprobs& logprobs) {
    out += fmt::format(" {}:{:a}", logprobs.chosen.token, logprobs.chosen.logprob);
    for (const TokenLogprob& entry : logprobs.top) out += fmt::format(" {}:{:a}", entry.token, entry.logprob);
  };
  for (const TokenEvent& event : recorder.events<TokenEvent>()) {
    out += fmt::format("{}", event.token);
    if (event.logprobs) add(*event.logprobs);
    out += "\n";
  }
  for (const PromptTokensEvent& event : recorder.events<PromptTokensEvent>()) {
    for (const PromptTokensEvent::Entry& entry : event.entries) {
      if (entry.logprobs) add(*entry.logprobs);
    }
  }
  return out;
}

TEST_F(ManyRequestsTest, EveryAnswerIsWhatItIsAlone) {
  const std::vector<GenerationRequest> requests = eight_kinds();
  std::vector<std::string> alone;
  for (const GenerationRequest& request : requests) {
    restart();
    alone.push_back(told(*submit(request)));
  }
  for (const std::size_t chunk : {5, 32, 512}) {
    LocalEngineOptions shared = options();
    shared.prefill_chunk = chunk;
    shared.conversations = 8;
    restart(shared);
    const auto recorders = together(requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(told(*recorders[i]), alone[i]) << "request " << i << ", chunks of " << chunk;
    }
  }
}

TEST_F(ManyRequestsTest, OwnersTakeTurnsInTheQueue) {
  LocalEngineOptions one = options();
  one.max_running = 1;
  restart(one);
  std::vector<std::shared_ptr<Recorder>> recorders;
  {
    const Gate gate(*engine_);
    for (const char* owner : {"x", "x", "x", "x", "y", "z", "z"}) {
      recorders.push_back(submit(owned(owner, ask({PlainText{" the"}}, 1)), noting(owner)));
    }
  }
  for (const auto& recorder : recorders) recorder->outcome();
  EXPECT_EQ(admitted_, "xyzxzxx");
}

// One owner's three long prompts do not keep another's waiting: it is read in every second chunk.
TEST_F(ManyRequestsTest, OwnersTakeTurnsInPrefill) {
  LocalEngineOptions chunked = options();
  chunked.prefill_chunk = 16;
  chunked.conversations = 8;
  restart(chunked);
  std::string chunks;
  const auto note = [&chunks](char owner) {
    return [&chunks, owner](const Event& event) {
      if (std::holds_alternative<PrefillProgress>(event)) chunks += owner;
    };
  };
  std::vector<std::shared_ptr<Recorder>> recorders;
  {
    const Gate gate(*engine_);
    for (std::size_t i = 0; i < 3; ++i) {
      recorders.push_back(
          submit(owned("x", ask({PlainText{words(i)}, PlainText{" in" + words(158)}}, 1)), note('x')));
    }
    recorders.push_back(submit(owned("y", ask({PlainText{words(79)}}, 1)), note('y')));
  }
  for (const auto& recorder : recorders) recorder->outcome();
  EXPECT_EQ(chunks.substr(0, 10), "xyxyxyxyxy");  // five chunks of y's 80 tokens
}

TEST_F(ManyRequestsTest, DecodingGoesOnDuringPrefill) {
  LocalEngineOptions chunked = options();
  chunked.prefill_chunk = 16;
  chunked.conversations = 4;
  restart(chunked);
  std::string order;
  std::shared_ptr<Recorder> late;
  const auto first = submit(ask({PlainText{" the"}}, 30), [&](const Event& event) {
    if (!std::holds_alternative<TokenEvent>(event)) return;
    order += 't';
    if (order == "ttt") {
      late = std::make_shared<Recorder>([&order](const Event& later) {
        if (std::holds_alternative<PrefillProgress>(later)) order += 'p';
      });
      EXPECT_TRUE(engine_->submit(ask({PlainText{" in" + words(158)}}, 1), late, {}));
    }
  });
  first->outcome();
  late->outcome();
  EXPECT_EQ(order.substr(0, 23),
            "ttttptptptptptptptptptp");  // each step a token of the one, a chunk of the other
}

TEST_F(ManyRequestsTest, SeveralAnswersToOneQuestionReadItOnce) {
  LocalEngineOptions roomy = options();
  roomy.conversations = 4;
  roomy.prefill_chunk = 32;
  std::vector<GenerationRequest> requests(4, ask({PlainText{words(150)}}, 20));
  for (std::size_t i = 0; i < requests.size(); ++i) requests[i].sampling.seed = i;
  std::vector<std::vector<TokenId>> alone;
  for (const GenerationRequest& request : requests) alone.push_back(fresh_answer(request).ids);
  restart(roomy);
  const auto recorders = together(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(recorders[i]->result().ids, alone[i]);
    EXPECT_EQ(recorders[i]->result().usage.cached_tokens, i == 0 ? 0U : 150U);
  }
  EXPECT_EQ(engine_->status().cached_tokens, 450U);
}

// The beginning of a prompt is enough to wait for, and nobody waits for the rest.
TEST_F(ManyRequestsTest, SharedBeginningsAreReadOnce) {
  LocalEngineOptions roomy = options();
  roomy.conversations = 4;
  roomy.prefill_chunk = 32;
  restart(roomy);
  const GenerationRequest longer = ask({PlainText{words(99)}, PlainText{words(200)}}, 5);
  const GenerationRequest other = ask({PlainText{words(99)}, PlainText{" in the end"}}, 5);
  const auto recorders = together({longer, other});
  const std::vector<TokenId> ids = recorders[1]->result().ids;
  EXPECT_EQ(recorders[1]->result().usage.cached_tokens, 100U);
  EXPECT_EQ(ids, fresh_answer(other).ids);
}

TEST_F(ManyRequestsTest, OwnersNeverShareWhatWasRead) {
  LocalEngineOptions roomy = options();
  roomy.conversations = 4;
  restart(roomy);
  const GenerationRequest request = ask({PlainText{words(100)}}, 5);
  const auto recorders = together({owned("x", request), owned("y", request)});
  EXPECT_EQ(recorders[0]->result().usage.cached_tokens, 0U);
  EXPECT_EQ(recorders[1]->result().usage.cached_tokens, 0U);
  EXPECT_EQ(answer(owned("z", request)).usage.cached_tokens, 0U);
  EXPECT_EQ(answer(owned("", request)).usage.cached_tokens, 0U);
  EXPECT_EQ(answer(owned("y", request)).usage.cached_tokens, 100U);
}

TEST_F(ManyRequestsTest, OldConversationsMakeRoomForNewOnes) {
  const auto talk = [](const std::string& owner) { return owned(owner, ask({PlainText{words(290)}}, 5)); };
  answer(talk("x"));
  answer(talk("y"));  // needs the memory of the first
  EXPECT_EQ(engine_->status().kept, 1U);
  EXPECT_EQ(answer(talk("y")).usage.cached_tokens, 290U);
  EXPECT_EQ(answer(talk("x")).usage.cached_tokens, 0U);

  LocalEngineOptions roomy = options();
  roomy.conversations = 2;
  restart(roomy);
  answer(talk("x"));
  answer(talk("y"));
  EXPECT_EQ(answer(talk("x")).usage.cached_tokens, 290U);
  answer(talk("z"));  // y's was not used for the longest time
  EXPECT_EQ(answer(talk("x")).usage.cached_tokens, 290U);
  EXPECT_EQ(answer(talk("y")).usage.cached_tokens, 0U);
  const EngineStatus status = engine_->status();
  EXPECT_LE(status.kv_bytes_used, status.kv_bytes_total);
  EXPECT_GT(status.kv_bytes_used, 0U);
}

// Two that fit at first, and no longer when they have grown: the younger one is put back and read again.
TEST_F(ManyRequestsTest, WhenMemoryRunsOutTheYoungestIsReadAgainAndSaysTheSame) {
  std::vector<GenerationRequest> requests;
  for (const char* owner : {"x", "y", "z"}) {
    requests.push_back(owned(owner, ask({PlainText{words(100)}, PlainText{owner}}, 200)));
    requests.back().sampling.logprobs = 2;
    requests.back().prompt_logprobs = 1;
  }
  std::vector<std::string> alone;
  for (const GenerationRequest& request : requests) {
    restart();
    alone.push_back(told(*submit(request)));
  }
  restart();
  const auto recorders = together(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(told(*recorders[i]), alone[i]) << i;
  EXPECT_GE(engine_->status().preemptions, 1U);
  for (const auto& recorder : recorders) EXPECT_EQ(recorder->events<Admitted>().size(), 1U);
  EXPECT_LE(engine_->status().kv_bytes_used, engine_->status().kv_bytes_total);
}

// Whatever comes together, in little memory, with stops at any event: what is said is a beginning of what
// each says alone.
TEST_F(ManyRequestsTest, RandomCrowdsSayWhatEachSaysAlone) {
  for (std::uint32_t seed = 0; seed < 3; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::vector<GenerationRequest> requests;
    for (std::size_t i = 0; i < 24; ++i) {
      requests.push_back(ask({PlainText{words(random() % 3 * 60)}, PlainText{words(random() % 90)}},
                             static_cast<std::uint32_t>(1 + random() % 90)));
      requests.back().owner = std::string(1, static_cast<char>('x' + random() % 3));
      requests.back().sampling.seed = random() % 2;
    }
    std::vector<std::vector<TokenId>> alone;
    for (const GenerationRequest& request : requests) alone.push_back(fresh_answer(request).ids);
    LocalEngineOptions crowded = options();
    crowded.conversations = 1 + seed % 2;
    crowded.prefill_chunk = 16 + random() % 50;
    crowded.max_running = 3 + random() % 6;
    restart(crowded);
    std::vector<std::stop_source> stops(requests.size());
    std::vector<std::shared_ptr<Recorder>> recorders;
    {
      const Gate gate(*engine_);
      for (std::size_t i = 0; i < requests.size(); ++i) {
        const std::size_t stop_after = random() % 3 == 0 ? random() % 40 : SIZE_MAX;
        recorders.push_back(submit(
            requests[i],
            [&stops, i, stop_after, seen = std::size_t{0}](const Event&) mutable {
              if (seen++ == stop_after) stops[i].request_stop();
            },
            stops[i].get_token()));
      }
    }
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const GenerationResult& result = recorders[i]->result();
      const bool stopped = result.finish == FinishReason::kInterrupted;
      EXPECT_EQ(stopped ? stops[i].stop_requested() : result.ids == alone[i], true) << i;
      ASSERT_LE(result.ids.size(), alone[i].size());
      EXPECT_TRUE(std::equal(result.ids.begin(), result.ids.end(), alone[i].begin())) << i;
    }
    EXPECT_EQ(engine_->status().running, 0U);
    EXPECT_LE(engine_->status().kv_bytes_used, engine_->status().kv_bytes_total);
  }
}

TEST_F(ManyRequestsTest, AFullQueueRefuses) {
  LocalEngineOptions small = options();
  small.max_waiting = 2;
  restart(small);
  std::vector<std::shared_ptr<Recorder>> recorders;
  {
    const Gate gate(*engine_);
    recorders.push_back(submit(ask({PlainText{" the"}}, 1)));
    recorders.push_back(submit(ask({PlainText{" a"}}, 1)));
    const auto refused = std::make_shared<Recorder>();
    const Result<> third = engine_->submit(ask({PlainText{" is"}}, 1), refused, {});
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().kind, ErrorKind::kOverloaded);
    EXPECT_EQ(engine_->status().waiting, 2U);
    EXPECT_EQ(engine_->status().running, 1U);
  }
  for (const auto& recorder : recorders) EXPECT_EQ(recorder->result().ids.size(), 1U);
  EXPECT_EQ(answer(ask({PlainText{" is"}}, 1)).ids.size(), 1U);
}

TEST_F(ManyRequestsTest, NoMoreThanTheMostRunAtOnce) {
  LocalEngineOptions two = options();
  two.max_running = 2;
  two.conversations = 8;
  restart(two);
  std::size_t most = 0;
  std::vector<std::shared_ptr<Recorder>> recorders;
  {
    const Gate gate(*engine_);
    for (int i = 0; i < 6; ++i) {
      recorders.push_back(submit(ask({PlainText{words(5)}}, 7),
                                 [&](const Event&) { most = std::max(most, engine_->status().running); }));
    }
  }
  for (const auto& recorder : recorders) EXPECT_EQ(recorder->result().ids.size(), 7U);
  EXPECT_EQ(most, 2U);
}

TEST_F(ManyRequestsTest, AnEngineThatGoesAwayEndsItsRequests) {
  std::vector<std::shared_ptr<Recorder>> recorders;
  auto gate = std::make_unique<Gate>(*engine_);
  for (int i = 0; i < 3; ++i) recorders.push_back(submit(ask({PlainText{words(50)}}, 300)));
  // The first event of the first request is the sign to leave.
  std::mutex mutex;
  std::condition_variable changed;
  bool began = false;
  recorders.push_back(submit(owned("a", ask({PlainText{" the"}}, 300)), [&](const Event& event) {
    if (!std::holds_alternative<TokenEvent>(event)) return;
    const std::scoped_lock lock(mutex);
    began = true;
    changed.notify_all();
  }));
  gate.reset();
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return began; });
  }
  engine_.reset();
  for (const auto& recorder : recorders) {
    const auto& outcome = recorder->outcome();
    EXPECT_TRUE(outcome || outcome.error().kind == ErrorKind::kInterrupted);
  }
}

TEST_F(ManyRequestsTest, ManyThreadsAskAtOnce) {
  LocalEngineOptions roomy = options();
  roomy.conversations = 3;
  restart(roomy);
  const std::vector<GenerationRequest> requests = eight_kinds();
  std::vector<std::string> texts(requests.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto result = generate(*engine_, requests[i], [](const Event&) {}, {});
      texts[i] = result ? result->text : result.error().message;
      engine_->status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(texts[i], fresh_answer(requests[i]).text) << i;
}

}  // namespace
}  // namespace carat::engine
