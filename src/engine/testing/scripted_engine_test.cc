#include "engine/testing/scripted_engine.h"

#include <gmock/gmock.h>

#include <string>

namespace carat::engine {
namespace {

using prompt::GenerationRequest;
using prompt::PlainText;
using std::chrono::milliseconds;

// Writes down what happens, and lets others wait for it.
class Log final : public Receiver {
 public:
  void on_event(Event event) override {
    const std::scoped_lock lock(mutex_);
    if (std::holds_alternative<Admitted>(event)) text_ += "<";
    if (std::holds_alternative<PrefillProgress>(event)) text_ += "+";
    if (const auto* token = std::get_if<TokenEvent>(&event)) text_ += token->text;
    changed_.notify_all();
  }
  void on_end(Result<GenerationResult> result) override {
    const std::scoped_lock lock(mutex_);
    text_ += ">";
    end_ = std::move(result);
    changed_.notify_all();
  }
  std::string wait_for(const std::string& text) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return text_ == text || text_.ends_with(">"); });
    return text_;
  }
  const Result<GenerationResult>& end() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return end_.has_value(); });
    return *end_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  std::optional<Result<GenerationResult>> end_;
};

GenerationRequest ask() { return {.prompt = {PlainText{"hello"}}, .sampling = {}}; }

TEST(ScriptedEngine, SaysItsScriptAtOnceWhereThereAreNoDelays) {
  ScriptedEngine engine(Script{.tokens = {"a", "b", "c"}, .prompt_tokens = 5, .cached_tokens = 2});
  std::string text;
  const auto result = generate(engine, ask(),
                               [&](const Event& event) {
                                 if (const auto* token = std::get_if<TokenEvent>(&event)) text += token->text;
                               },
                               {});
  ASSERT_TRUE(result);
  EXPECT_EQ(text, "abc");
  EXPECT_EQ(result->text, "abc");
  EXPECT_EQ(result->finish, FinishReason::kStop);
  EXPECT_EQ(result->usage.prompt_tokens, 5U);
  EXPECT_EQ(result->usage.cached_tokens, 2U);
  EXPECT_EQ(result->usage.generated_tokens, 3U);
  EXPECT_EQ(engine.requests().size(), 1U);
  EXPECT_EQ(engine.status().finished, 1U);
  GenerationRequest shorter = ask();
  shorter.sampling.max_tokens = 2;
  const auto cut = generate(engine, shorter, [](const Event&) {}, {});
  EXPECT_EQ(cut->text, "ab");
  EXPECT_EQ(cut->finish, FinishReason::kLength);
  EXPECT_EQ(engine.count_tokens(ask()).value(), 5U);
}

TEST(ScriptedEngine, NothingHappensBeforeItsTime) {
  ScriptedEngine engine(Script{.before_admission = milliseconds(10),
                               .before_first_token = milliseconds(20),
                               .between_tokens = milliseconds(5),
                               .tokens = {"a", "b"}});
  const auto log = std::make_shared<Log>();
  ASSERT_TRUE(engine.submit(ask(), log, {}));
  engine.advance(milliseconds(9));
  EXPECT_EQ(engine.status().waiting, 1U);
  engine.advance(milliseconds(1));
  EXPECT_EQ(log->wait_for("<"), "<");
  EXPECT_EQ(engine.status().running, 1U);
  engine.advance(milliseconds(20));
  EXPECT_EQ(log->wait_for("<+a"), "<+a");
  engine.advance(milliseconds(1000));
  EXPECT_TRUE(log->end());
  EXPECT_EQ(log->wait_for("<+ab>"), "<+ab>");
  EXPECT_EQ(engine.status().running, 0U);
}

TEST(ScriptedEngine, StopsAndDeadlinesEndIt) {
  ScriptedEngine engine(Script{.between_tokens = milliseconds(5), .tokens = {"a", "b", "c"}});
  std::stop_source stop;
  const auto stopped = std::make_shared<Log>();
  ASSERT_TRUE(engine.submit(ask(), stopped, stop.get_token()));
  stopped->wait_for("<+a");
  stop.request_stop();
  EXPECT_EQ(stopped->end()->finish, FinishReason::kInterrupted);
  EXPECT_EQ(stopped->end()->text, "a");
  const auto before = std::make_shared<Log>();
  ASSERT_TRUE(engine.submit(ask(), before, stop.get_token()));
  EXPECT_EQ(before->end()->finish, FinishReason::kInterrupted);

  GenerationRequest request = ask();
  request.deadline = engine.clock().now() + milliseconds(7);
  const auto late = std::make_shared<Log>();
  ASSERT_TRUE(engine.submit(request, late, {}));
  engine.advance(milliseconds(5));
  late->wait_for("<+ab");
  engine.advance(milliseconds(2));
  EXPECT_EQ(late->end()->finish, FinishReason::kDeadline);
  EXPECT_EQ(late->end()->text, "ab");
}

TEST(ScriptedEngine, FailsAndRefusesAsItIsTold) {
  ScriptedEngine failing(Script{.tokens = {"a"}, .error = Error{ErrorKind::kFailed, "broken"}});
  const auto log = std::make_shared<Log>();
  ASSERT_TRUE(failing.submit(ask(), log, {}));
  EXPECT_EQ(log->end().error().message, "broken");
  EXPECT_EQ(log->wait_for("<+a>"), "<+a>");
  ScriptedEngine refusing(Script{.refusal = Error{ErrorKind::kOverloaded, "busy"}});
  EXPECT_EQ(refusing.submit(ask(), log, {}).error().kind, ErrorKind::kOverloaded);

  ScriptedEngine::Options options;
  options.capabilities.seeded = false;
  options.capabilities.images_remark = "it is blind";
  options.capabilities.images = false;
  ScriptedEngine limited([](const GenerationRequest&) { return Script(); }, options);
  GenerationRequest seeded = ask();
  seeded.sampling.seed = 3;
  EXPECT_THAT(limited.submit(seeded, log, {}).error().message, testing::HasSubstr("seed"));
  GenerationRequest picture = ask();
  picture.prompt.emplace_back(prompt::Image{prompt::make_picture({1, 1, {0, 0, 0}}), false});
  EXPECT_EQ(limited.submit(picture, log, {}).error().message, "it is blind");
  EXPECT_TRUE(limited.submit(ask(), std::make_shared<Log>(), {}));
}

TEST(ScriptedEngine, HasBoundsAndEndsWhatIsLeft) {
  ScriptedEngine::Options options;
  options.max_running = 1;
  options.max_waiting = 1;
  std::vector<std::shared_ptr<Log>> logs;
  {
    Script stuck;
    stuck.before_first_token = Script::kNever;
    ScriptedEngine engine([&stuck](const GenerationRequest&) { return stuck; }, options);
    for (int i = 0; i < 3; ++i) logs.push_back(std::make_shared<Log>());
    ASSERT_TRUE(engine.submit(ask(), logs[0], {}));
    logs[0]->wait_for("<");
    ASSERT_TRUE(engine.submit(ask(), logs[1], {}));
    EXPECT_EQ(engine.submit(ask(), logs[2], {}).error().kind, ErrorKind::kOverloaded);
    EXPECT_EQ(engine.status().waiting, 1U);
    EXPECT_EQ(engine.status().running, 1U);
  }
  EXPECT_EQ(logs[0]->end().error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(logs[1]->end().error().kind, ErrorKind::kInterrupted);
}

}  // namespace
}  // namespace carat::engine
