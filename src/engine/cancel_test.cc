// Requests that end before their answer does: stopped, late, or struck by an error. Where in time that
// happens is counted in steps and calls.

#include <gmock/gmock.h>

#include <limits>
#include <new>
#include <string>
#include <vector>

#include "engine/test_requests.h"

namespace carat::engine {
namespace {

using prompt::GenerationRequest;
using prompt::PlainText;
using testing::AllOf;
using testing::HasSubstr;

class CancelTest : public LocalEngineTest {
 protected:
  // The engine serves on, and what was stopped holds nothing.
  void expect_idle_and_usable() {
    EXPECT_EQ(engine_->status().running, 0U);
    EXPECT_EQ(engine_->status().waiting, 0U);
    EXPECT_EQ(answer(ask({PlainText{" the end"}}, 3)).ids.size(), 3U);
  }
  // Stops at the n-th event of a kind and returns how many steps the engine went on.
  template <class Kind>
  std::uint64_t stop_at(std::size_t count, GenerationRequest request) {
    std::stop_source stop;
    std::uint64_t steps = 0;
    std::size_t seen = 0;
    std::size_t after = 0;  // events after the stop
    const auto recorder = submit(
        std::move(request),
        [&](const Event& event) {
          if (stop.stop_requested() && !std::holds_alternative<TrailingText>(event)) ++after;
          if (!std::holds_alternative<Kind>(event) || ++seen != count) return;
          steps = engine_->status().steps;
          stop.request_stop();
        },
        stop.get_token());
    EXPECT_EQ(recorder->result().finish, FinishReason::kInterrupted);
    EXPECT_EQ(after, 0U);
    tokens_ = recorder->result().ids.size();
    return engine_->status().steps - steps;
  }

  std::size_t tokens_ = 0;
};

TEST_F(CancelTest, InTheQueue) {
  std::stop_source stop;
  std::vector<std::shared_ptr<Recorder>> recorders;
  {
    const Gate gate(*engine_);
    recorders.push_back(submit(ask({PlainText{words(50)}}, 3)));
    recorders.push_back(submit(ask({PlainText{words(60)}}, 3), {}, stop.get_token()));
    EXPECT_EQ(engine_->status().waiting, 2U);
    stop.request_stop();
  }
  EXPECT_EQ(recorders[1]->result().finish, FinishReason::kInterrupted);
  EXPECT_TRUE(recorders[1]->events<Admitted>().empty());
  EXPECT_EQ(recorders[0]->result().ids.size(), 3U);
  expect_idle_and_usable();
}

TEST_F(CancelTest, BeforeItIsSubmitted) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(submit(ask({PlainText{" the"}}), {}, stop.get_token())->result().finish,
            FinishReason::kInterrupted);
  EXPECT_EQ(engine_->status().steps, 0U);
}

TEST_F(CancelTest, AtAdmission) {
  EXPECT_LE(stop_at<Admitted>(1, ask({PlainText{words(200)}})), 1U);
  expect_idle_and_usable();
}

TEST_F(CancelTest, InPrefill) {
  LocalEngineOptions chunked = options();
  chunked.prefill_chunk = 16;
  restart(chunked);
  EXPECT_LE(stop_at<PrefillProgress>(4, ask({PlainText{words(200)}})), 1U);
  expect_idle_and_usable();
}

TEST_F(CancelTest, InDecode) {
  EXPECT_LE(stop_at<TokenEvent>(5, ask({PlainText{words(20)}})), 1U);
  EXPECT_EQ(tokens_, 5U);
  expect_idle_and_usable();
}

// A stop in the first layer of a step: the second one is not computed.
TEST_F(CancelTest, BetweenLayers) {
  std::stop_source stop;
  std::size_t calls = 0;
  tiny_chat().backend->after_residual = [&](tensor::MatrixF32) {
    ++calls;
    stop.request_stop();
  };
  const auto recorder = submit(ask({PlainText{words(200)}}), {}, stop.get_token());
  EXPECT_EQ(recorder->result().finish, FinishReason::kInterrupted);
  EXPECT_EQ(calls, 2U);  // both halves of one layer
  EXPECT_EQ(engine_->status().steps, 0U);
}

// While somebody else waits for the step it goes on.
TEST_F(CancelTest, OneOfTwoLeavesTheOtherUnharmed) {
  const GenerationRequest request = ask({PlainText{words(40)}}, 20);
  const std::vector<TokenId> expected = fresh_answer(request).ids;
  LocalEngineOptions roomy = options();
  roomy.conversations = 2;
  restart(roomy);
  std::stop_source stop;
  std::size_t calls = 0;
  tiny_chat().backend->after_residual = [&](tensor::MatrixF32) {
    if (++calls == 25) stop.request_stop();
  };
  std::vector<std::shared_ptr<Recorder>> recorders;
  {
    const Gate gate(*engine_);
    recorders.push_back(submit(ask({PlainText{" in" + words(60)}}, 100), {}, stop.get_token()));
    recorders.push_back(submit(request));
  }
  EXPECT_EQ(recorders[0]->result().finish, FinishReason::kInterrupted);
  EXPECT_LT(recorders[0]->result().ids.size(), 10U);
  EXPECT_EQ(recorders[1]->result().ids, expected);
  tiny_chat().backend->after_residual = {};
}

TEST_F(CancelTest, ADeadlineEndsAnAnswerWithWhatThereIs) {
  GenerationRequest request = ask({PlainText{words(20)}});
  request.deadline = std::chrono::nanoseconds(1000);
  std::size_t tokens = 0;
  const auto recorder = submit(request, [&](const Event& event) {
    if (std::holds_alternative<TokenEvent>(event) && ++tokens == 7)
      clock_.advance(std::chrono::nanoseconds(1000));
  });
  EXPECT_EQ(recorder->result().finish, FinishReason::kDeadline);
  EXPECT_EQ(recorder->result().ids.size(), 7U);
  EXPECT_FALSE(recorder->result().text.empty());
}

TEST_F(CancelTest, ADeadlineCountsInTheQueueToo) {
  GenerationRequest request = ask({PlainText{words(20)}});
  request.deadline = std::chrono::nanoseconds(1000);
  std::shared_ptr<Recorder> recorder;
  {
    const Gate gate(*engine_);
    recorder = submit(request);
    clock_.advance(std::chrono::nanoseconds(999));
    clock_.advance(std::chrono::nanoseconds(1));
  }
  EXPECT_EQ(recorder->result().finish, FinishReason::kDeadline);
  EXPECT_TRUE(recorder->events<Admitted>().empty());
}

TEST_F(CancelTest, AStepThatThrowsEndsItsRequestAndNotTheProcess) {
  std::size_t calls = 0;
  tiny_chat().backend->after_residual = [&](tensor::MatrixF32) {
    if (++calls == 7) throw std::bad_alloc();
  };
  const auto recorder = submit(ask({PlainText{words(20)}}));
  const auto& outcome = recorder->outcome();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::kFailed);
  EXPECT_THAT(outcome.error().message, HasSubstr("the step failed"));
  EXPECT_EQ(recorder->events<TokenEvent>().size(), 1U);
  EXPECT_EQ(engine_->status().failed, 1U);
  EXPECT_EQ(engine_->status().kept, 0U);  // what it read may be the reason
  expect_idle_and_usable();
}

// Numbers that are not finite end the request whose rows they are in, name the layer, and go no further.
TEST_F(CancelTest, NumbersThatAreNotFiniteEndOneRequestAndNameTheLayer) {
  const GenerationRequest request = ask({PlainText{words(40)}}, 20);
  const std::vector<TokenId> expected = fresh_answer(request).ids;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    LocalEngineOptions roomy = options();
    roomy.conversations = 2;
    restart(roomy);
    std::vector<std::shared_ptr<Recorder>> recorders;
    {
      const Gate gate(*engine_);
      recorders.push_back(submit(ask({PlainText{" in" + words(60)}}, 100)));
      recorders.push_back(submit(request));
      std::size_t calls = 0;
      // The gate's own step has one row of prompt fewer than ten; the others are read in one batch, their own
      // rows in order of admission.
      tiny_chat().backend->after_residual = [calls, bad](tensor::MatrixF32 x) mutable {
        if (x.rows() < 10) return;
        if (++calls == 3) x.row(5)[1] = bad;  // after attention of the second layer
      };
    }
    const auto& failed = recorders[0]->outcome();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().kind, ErrorKind::kFailed);
    EXPECT_THAT(failed.error().message,
                AllOf(HasSubstr("not finite"), HasSubstr("layer 1"), HasSubstr("position 5")));
    EXPECT_EQ(recorders[1]->result().ids, expected);
    engine_.reset();
    tiny_chat().backend->after_residual = {};
  }
}

}  // namespace
}  // namespace carat::engine
