#include "server/model_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "engine/testing/manual_clock.h"
#include "engine/testing/scripted_engine.h"
#include "server/test_model_source.h"

namespace carat::server {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Answer = ApiResult<NamedModel>;

class ModelRegistryTest : public testing::Test {
 protected:
  ModelRegistry& make(RegistryOptions options = {}, std::uint64_t memory = 100) {
    options.pinned = 0;
    options.source = source_;
    options.memory = memory;
    registry_ = std::make_unique<ModelRegistry>(std::move(options), clock_);
    return *registry_;
  }

  std::future<Answer> ask(const std::string& name, std::optional<std::chrono::nanoseconds> keep_alive = {},
                          const std::stop_token& stop = {}) {
    auto promise = std::make_shared<std::promise<Answer>>();
    registry_->acquire({.name = name, .keep_alive = keep_alive}, stop,
                       [promise](Answer answer) { promise->set_value(std::move(answer)); });
    return promise->get_future();
  }
  NamedModel get(const std::string& name, std::optional<std::chrono::nanoseconds> keep_alive = {}) {
    Answer answer = ask(name, keep_alive).get();
    EXPECT_TRUE(answer) << name << ": " << answer.error().text();
    return answer.value_or(NamedModel());
  }
  ApiError error_of(const std::string& name) {
    const Answer answer = ask(name).get();
    EXPECT_FALSE(answer) << name;
    return answer ? ApiError() : answer.error();
  }
  std::vector<std::string> loaded() const {
    std::vector<std::string> ids;
    for (const LoadedModelView& view : registry_->loaded()) ids.push_back(view.model->id);
    return ids;
  }
  void advance(std::chrono::nanoseconds time) {
    clock_.advance(time);
    registry_->look_at_clock();
  }

  engine::ManualClock clock_;
  std::shared_ptr<TestModelSource> source_ = std::make_shared<TestModelSource>();
  std::unique_ptr<ModelRegistry> registry_;
};

TEST_F(ModelRegistryTest, LoadsWhatIsAskedForOnce) {
  source_->add("a", 10);
  make();
  EXPECT_THAT(loaded(), IsEmpty());
  const NamedModel first = get("a");
  EXPECT_EQ(first.name, "a");
  EXPECT_EQ(get("a").model.get(), first.model.get());
  EXPECT_THAT(source_->loads(), ElementsAre("a"));
  EXPECT_THAT(loaded(), ElementsAre("a"));
  EXPECT_THAT(registry_->catalogue(), IsEmpty());
}

TEST_F(ModelRegistryTest, FindsNamesByTagAndAlias) {
  source_->add("a", 10);
  source_->add("b:latest", 10);
  make({.aliases = {"gpt=a", "lost=nothing"}});
  EXPECT_EQ(get("a:latest").name, "a");
  EXPECT_EQ(get("b").name, "b:latest");
  EXPECT_EQ(get("gpt").name, "gpt");
  EXPECT_EQ(get("gpt:latest").model->id, "a");
  EXPECT_EQ(error_of("c").code, ApiErrorCode::kModelNotFound);
  EXPECT_EQ(error_of("lost").code, ApiErrorCode::kModelNotFound);
  EXPECT_EQ(error_of(":latest").code, ApiErrorCode::kModelNotFound);
  EXPECT_EQ(error_of("").code, ApiErrorCode::kMissingParameter);
  EXPECT_THAT(registry_->aliases_of("a"), ElementsAre("gpt"));
}

TEST_F(ModelRegistryTest, AllWaitForTheSameLoad) {
  source_->add("a", 10);
  source_->hold("a");
  make();
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 8; ++i) answers.push_back(ask("a"));
  source_->wait_for_load("a");
  answers.push_back(ask("a"));
  source_->release("a");
  for (auto& answer : answers) EXPECT_TRUE(answer.get());
  EXPECT_THAT(source_->loads(), ElementsAre("a"));
}

TEST_F(ModelRegistryTest, ALoadDoesNotHoldUpOthers) {
  source_->add("a", 10);
  source_->add("slow", 10);
  source_->hold("slow");
  make();
  get("a");
  auto slow = ask("slow");
  source_->wait_for_load("slow");
  EXPECT_EQ(get("a").name, "a");
  source_->release("slow");
  EXPECT_TRUE(slow.get());
}

TEST_F(ModelRegistryTest, OnlySoManyWait) {
  source_->add("a", 10);
  source_->hold("a");
  make({.most_waiting = 2});
  auto first = ask("a");
  auto second = ask("a");
  EXPECT_EQ(error_of("a").code, ApiErrorCode::kOverloaded);
  source_->release("a");
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
  EXPECT_TRUE(ask("a").get());
}

TEST_F(ModelRegistryTest, ALoadThatNobodyWaitsForIsGivenUp) {
  source_->add("a", 10);
  source_->hold("a");
  make();
  std::stop_source stop;
  auto gone = ask("a", {}, stop.get_token());
  source_->wait_for_load("a");
  stop.request_stop();
  source_->wait_for_stop("a");
  EXPECT_THROW(gone.get(), std::future_error);  // never called, and let go of
  source_->release("a");
  EXPECT_EQ(get("a").name, "a");
}

TEST_F(ModelRegistryTest, ARequestThatIsGoneBeforeItBeginsLoadsNothing) {
  source_->add("a", 10);
  make();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(ask("a", {}, stop.get_token()).get(), std::future_error);
  EXPECT_EQ(get("a").name, "a");
}

TEST_F(ModelRegistryTest, WhoIsGoneDoesNotEndTheOthersLoad) {
  source_->add("a", 10);
  source_->hold("a");
  make();
  std::stop_source stop;
  static_cast<void>(ask("a", {}, stop.get_token()));
  auto stays = ask("a");
  source_->wait_for_load("a");
  stop.request_stop();
  source_->release("a");
  EXPECT_TRUE(stays.get());
  EXPECT_THAT(source_->loads(), ElementsAre("a"));
}

TEST_F(ModelRegistryTest, AFailedLoadIsTriedAgain) {
  source_->add("a", 10);
  std::vector<std::string> log;
  make({.on_failure = [&](std::string_view id, std::string_view message) {
    log.emplace_back(id);
    log.emplace_back(message);
  }});
  source_->fail_next("a", {ErrorKind::kInvalidModel, "/secret/a.gguf: broken"});
  const ApiError error = error_of("a");
  EXPECT_EQ(error.code, ApiErrorCode::kInternal);
  EXPECT_EQ(error.text().find("secret"), std::string_view::npos);
  EXPECT_THAT(log, ElementsAre("a", "/secret/a.gguf: broken"));
  EXPECT_EQ(get("a").name, "a");
  EXPECT_THAT(source_->loads(), ElementsAre("a", "a"));
}

TEST_F(ModelRegistryTest, WhatCannotFitIsRefusedWithTheNumbers) {
  source_->add("large", std::uint64_t{3} << 30);
  make({}, std::uint64_t{2} << 30);
  const ApiError error = error_of("large");
  EXPECT_EQ(error.code, ApiErrorCode::kModelDoesNotFit);
  EXPECT_THAT(std::string(error.text()), HasSubstr("3.00 GiB"));
  EXPECT_THAT(std::string(error.text()), HasSubstr("2.00 GiB"));
  EXPECT_THAT(source_->loads(), IsEmpty());
}

TEST_F(ModelRegistryTest, TheLongestUnusedMakesRoom) {
  for (const char* id : {"a", "b", "c"}) source_->add(id, 40);
  make();
  get("a");
  clock_.advance(1s);
  get("b");
  clock_.advance(1s);
  get("a");
  clock_.advance(1s);
  get("c");
  EXPECT_THAT(loaded(), ElementsAre("a", "c"));
  EXPECT_EQ(source_->alive(), 2);
}

TEST_F(ModelRegistryTest, MakingRoomWaitsForWhoUsesAModel) {
  source_->add("a", 60);
  source_->add("b", 60);
  make();
  NamedModel used = get("a");
  auto b = ask("b");
  source_->wait_for_plan("b");
  EXPECT_THAT(source_->loads(), ElementsAre("a"));
  EXPECT_EQ(source_->alive(), 1);
  used = {};
  EXPECT_TRUE(b.get());
  EXPECT_THAT(source_->loads(), ElementsAre("a", "b"));
  EXPECT_EQ(source_->most_alive(), 1);
}

TEST_F(ModelRegistryTest, WhoAsksForAModelThatIsGoingGetsItAnew) {
  source_->add("a", 60);
  make();
  NamedModel used = get("a");
  EXPECT_EQ(registry_->unload("a"), true);
  auto again = ask("a");
  EXPECT_EQ(source_->alive(), 1);
  used = {};
  EXPECT_TRUE(again.get());
  EXPECT_THAT(source_->loads(), ElementsAre("a", "a"));
  EXPECT_EQ(source_->most_alive(), 1);
}

TEST_F(ModelRegistryTest, WhereTheMachineHasLessThanPlannedUnusedOnesGo) {
  for (const char* id : {"a", "b"}) source_->add(id, 10);
  make();
  get("a");
  source_->fail_next("b", {ErrorKind::kDoesNotFit, "b needs more than there is"});
  EXPECT_EQ(get("b").name, "b");
  EXPECT_THAT(loaded(), ElementsAre("b"));
  source_->fail_next("a", {ErrorKind::kDoesNotFit, "a needs more than there is"});
  source_->fail_next("a", {ErrorKind::kDoesNotFit, "a needs more than there is"});
  const ApiError error = error_of("a");
  EXPECT_EQ(error.code, ApiErrorCode::kOutOfMemory);
  EXPECT_EQ(error.text(), "a needs more than there is");
}

TEST_F(ModelRegistryTest, UnusedOnesGoWhenTheirTimeIsOver) {
  source_->add("a", 10);
  make({.keep_alive = 5min});
  NamedModel used = get("a");
  advance(1h);
  EXPECT_THAT(loaded(), ElementsAre("a"));
  EXPECT_EQ(registry_->loaded()[0].remaining, 5min);
  used = {};
  advance(4min);
  EXPECT_EQ(registry_->loaded()[0].remaining, 1min);
  EXPECT_EQ(source_->alive(), 1);
  advance(1min);
  source_->wait_for_alive(0);
  EXPECT_THAT(loaded(), IsEmpty());
}

TEST_F(ModelRegistryTest, ARequestSaysHowLongItsModelStays) {
  source_->add("a", 10);
  make({.keep_alive = 5min});
  get("a", std::chrono::nanoseconds::max());
  EXPECT_EQ(registry_->loaded()[0].remaining, std::nullopt);
  get("a");
  advance(24h);
  EXPECT_EQ(registry_->loaded()[0].remaining, std::nullopt);
  get("a", 0ns);
  source_->wait_for_alive(0);
  EXPECT_THAT(loaded(), IsEmpty());
}

TEST_F(ModelRegistryTest, UnloadsWhatItIsTold) {
  source_->add("a", 10);
  make();
  get("a");
  EXPECT_EQ(registry_->unload("a:latest"), true);
  source_->wait_for_alive(0);
  EXPECT_EQ(registry_->unload("a"), true);
  EXPECT_EQ(registry_->unload("x").error().code, ApiErrorCode::kModelNotFound);
}

TEST_F(ModelRegistryTest, PinnedOnesStayAndComeFirst) {
  source_->add("b", 60);
  source_->add("a", 60);
  registry_ = std::make_unique<ModelRegistry>(
      RegistryOptions{.aliases = {"*"}, .pinned = 1, .source = source_, .memory = 100}, clock_);
  EXPECT_EQ(error_of("b").code, ApiErrorCode::kModelLoading);
  EXPECT_FALSE(registry_->is_ready());
  const auto model = source_->load("b", {});
  ASSERT_TRUE(model);
  registry_->set(*model, 60);
  EXPECT_TRUE(registry_->is_ready());
  EXPECT_EQ(get("").name, "b");
  EXPECT_EQ(get("whatever").name, "b");
  EXPECT_EQ(registry_->unload("b"), false);
  EXPECT_EQ(error_of("a").code, ApiErrorCode::kModelDoesNotFit);
  advance(24h);
  EXPECT_THAT(loaded(), ElementsAre("b"));
  EXPECT_EQ(registry_->loaded()[0].remaining, std::nullopt);
}

TEST_F(ModelRegistryTest, ItsEndIsTheEndOfALoadAndOfWhoWaits) {
  source_->add("a", 10);
  source_->add("b", 10);
  source_->hold("a");
  make();
  auto a = ask("a");
  source_->wait_for_load("a");
  auto b = ask("b");
  registry_->close();
  EXPECT_EQ(a.get().error().code, ApiErrorCode::kShuttingDown);
  EXPECT_EQ(b.get().error().code, ApiErrorCode::kShuttingDown);
  EXPECT_EQ(error_of("a").code, ApiErrorCode::kShuttingDown);
  registry_.reset();
  EXPECT_EQ(source_->alive(), 0);
}

}  // namespace
}  // namespace carat::server
