#include "session/kept_answer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "formats/test_files.h"
#include "store/test_store.h"

namespace carat::session {
namespace {

using engine::GenerationResult;
using formats::is_error;
using store::must;
using store::Status;
using store::Store;

constexpr const char* kAlice = "alice";

engine::TokenEvent token(TokenId id, const std::string& text) {
  return {.token = id, .bytes = text, .text = text, .logprobs = {}};
}

GenerationResult result_of(std::string text, std::vector<TokenId> ids = {}) {
  GenerationResult result;
  result.text = std::move(text);
  result.ids = std::move(ids);
  return result;
}

TurnToKeep question(const std::string& text) {
  TurnToKeep turn{.owner = kAlice};
  turn.messages = {store::says(store::Role::kUser, text)};
  turn.kind.kind = store::ConversationKind::kResponses;
  turn.answer.plan = R"({"version":1})";
  turn.response = store::NewResponse{.body = "{}"};
  return turn;
}

class KeptAnswerTest : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void open(const store::SqliteStoreOptions& options = {}) {
    thread_.reset();
    thread_ = std::make_unique<store::StoreThread>(
        must(open_sqlite_store(path(), clock_, system_random_bytes, options)));
  }
  std::string path() const { return folder_.path("carat.db"); }

  std::shared_ptr<KeptAnswer> begin(TurnToKeep turn) {
    return must(KeptAnswer::begin(*thread_, std::move(turn)));
  }
  Result<> finish(KeptAnswer& kept, const Result<GenerationResult>& result) {
    std::promise<Result<>> promise;
    kept.finish(result, [&](const Result<>& written) { promise.set_value(written); });
    return promise.get_future().get();
  }
  Result<store::Message> message(const Uuid& id) {
    return thread_->submit([id](Store& store) { return store.conversations().message(kAlice, id); }).get();
  }

  formats::TestFolder folder_;
  TestWallClock clock_;
  std::unique_ptr<store::StoreThread> thread_;
};

TEST_F(KeptAnswerTest, ADoneAnswerHasAllThatMadeIt) {
  const auto kept = begin(question("why?"));
  EXPECT_EQ(must(message(kept->id())).status, Status::kPending);
  kept->on_event(engine::Admitted{.prompt_tokens = 9, .cached_tokens = 4});
  kept->on_event(token(7, "Be"));
  kept->on_event(token(8, "cause"));
  GenerationResult result = result_of("Because", {7, 8});
  result.seed = 5;
  result.usage.prompt_tokens = 9;
  result.usage.cached_tokens = 4;
  result.usage.generated_tokens = 3;
  must(finish(*kept, result));
  const store::Message done = must(message(kept->id()));
  EXPECT_EQ(done.status, Status::kDone);
  EXPECT_EQ(text_of(done), "Because");
  EXPECT_EQ(done.answer.token_ids, (std::vector<TokenId>{7, 8}));
  EXPECT_EQ(done.answer.seed, 5U);
  EXPECT_EQ(done.answer.prompt_tokens, 9);
  EXPECT_EQ(done.answer.cached_tokens, 4);
  EXPECT_EQ(done.answer.answer_tokens, 3);
  EXPECT_EQ(done.answer.finish_reason, "stop");
  EXPECT_EQ(done.answer.plan, R"({"version":1})");
  EXPECT_EQ(text_of(must(message(*done.parent))), "why?");
}

TEST_F(KeptAnswerTest, WhatThereIsStaysWhenSomebodyStopsItOrItFails) {
  const auto stopped = begin(question("a"));
  GenerationResult result = result_of("as far", {1});
  result.finish = engine::FinishReason::kInterrupted;
  must(finish(*stopped, result));
  EXPECT_EQ(must(message(stopped->id())).status, Status::kCancelled);
  EXPECT_EQ(text_of(must(message(stopped->id()))), "as far");

  const auto failed = begin(question("b"));
  failed->on_event(token(1, "so "));
  failed->on_event(token(2, "far"));
  must(finish(*failed, fail(ErrorKind::kFailed, "a step failed")));
  EXPECT_EQ(must(message(failed->id())).status, Status::kFailed);
  EXPECT_EQ(text_of(must(message(failed->id()))), "so far");

  const auto leaving = begin(question("c"));
  must(finish(*leaving, fail(ErrorKind::kInterrupted, "the engine is going away")));
  EXPECT_EQ(must(message(leaving->id())).status, Status::kInterrupted);
}

TEST_F(KeptAnswerTest, IdsThatSpellMoreThanWasShownAreLeftOut) {
  const auto kept = begin(question("a"));
  kept->on_event(token(1, "so"));
  kept->on_event(engine::TokenEvent{.token = 2, .bytes = "\xC3", .text = "", .logprobs = {}});
  must(finish(*kept, fail(ErrorKind::kFailed, "a step failed")));
  EXPECT_TRUE(must(message(kept->id())).answer.token_ids.empty());
}

TEST_F(KeptAnswerTest, AnAnswerThatWasDeletedMeanwhileCountsAsKept) {
  const auto kept = begin(question("a"));
  must(thread_->submit([&](Store& store) { return store.responses().remove(kAlice, kept->id()); }).get());
  must(finish(*kept, result_of("x")));
}

TEST_F(KeptAnswerTest, ADiscardedOneLeavesNothing) {
  const auto kept = begin(question("a"));
  kept->discard();
  EXPECT_TRUE(is_error(message(kept->id()), ErrorKind::kNotFound, {}));
  auto conversation = thread_->submit(
      [&](Store& store) { return store.conversations().conversation(kAlice, kept->conversation()); });
  EXPECT_TRUE(is_error(conversation.get(), ErrorKind::kNotFound, {}));
}

TEST_F(KeptAnswerTest, AFullDiskIsTold) {
  open({.database = {.most_pages = 60}});
  const auto kept = begin(question("a"));
  EXPECT_TRUE(is_error(finish(*kept, result_of(std::string(1 << 20, 'x'))), ErrorKind::kDiskFull, {}));
}

// A child writes answers until it is killed; what it had said is there, marked as interrupted.
TEST_F(KeptAnswerTest, WhatAKilledProcessHadSaidStays) {
  thread_.reset();
  int said[2] = {};
  ASSERT_EQ(::pipe(said), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    open();
    const auto kept = begin(question("why?"));
    for (int i = 0; i < 40; ++i) {
      kept->on_event(token(i, "word "));
      // After whatever write this event began.
      static_cast<void>(thread_->submit([](Store&) { return Result<>(); }).get());
    }
    const std::string id = to_string(kept->id());
    static_cast<void>(!::write(said[1], id.data(), id.size()));
    ::pause();
    ::_exit(0);
  }
  ::close(said[1]);
  std::string id(36, '\0');
  ASSERT_EQ(::read(said[0], id.data(), id.size()), 36);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(said[0]);
  open();
  const store::Message cut = must(message(parse_uuid(id).value()));
  EXPECT_EQ(cut.status, Status::kInterrupted);
  EXPECT_GE(text_of(cut).size(), 2 * KeptAnswer::kTokensBetweenWrites * 5);
  EXPECT_EQ(cut.answer.token_ids.size() * 5, text_of(cut).size());
}

}  // namespace
}  // namespace carat::session
