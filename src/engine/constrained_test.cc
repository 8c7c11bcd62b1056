// Answers under constraints, by the local engine with random weights: they follow them, whatever else goes on
// and whatever fails.
#include <gmock/gmock.h>

#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/test_fixture.h"
#include "engine/test_requests.h"
#include "grammar/test_answers.h"
#include "grammar/test_validator.h"

namespace carat::engine {
namespace {

using prompt::GenerationRequest;
using prompt::PlainText;
using testing::HasSubstr;
using testing::StartsWith;

boost::json::array read_cases(const std::string& name) {
  std::ifstream file(test_fixture(name));
  std::stringstream text;
  text << file.rdbuf();
  return boost::json::parse(text.str()).as_array();
}

// Without the biases of ask(): the constraint says where the answer ends.
GenerationRequest ask_for(prompt::Constraint constraint, std::uint32_t max_tokens = 120) {
  GenerationRequest request = ask({PlainText{words(20)}}, max_tokens);
  request.sampling.logit_bias.clear();
  request.constraint = std::move(constraint);
  return request;
}

// Random weights seldom close what they opened: with these biases they do, through the full row of logits.
void hurry(GenerationRequest& request) {
  for (const char* text : {"\"", "}", "]"}) {
    for (const TokenId id : tiny_chat().model->tokenizer->encode(text, tokenizer::ControlTokens::kAsText))
      request.sampling.logit_bias.push_back({id, 5.0F});
  }
}

bool is_valid_answer(const boost::json::value& schema, const std::string& text) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(text, error);
  return !error && grammar::TestValidator(schema).is_valid(value);
}

class ConstrainedTest : public LocalEngineTest {
 protected:
  static LocalEngineOptions patient_options() {
    LocalEngineOptions patient = options();
    patient.grammar = grammar::patient();
    return patient;
  }
  ConstrainedTest() { restart(patient_options()); }

  // A program that takes a request and never answers.
  static std::string silent_worker() {
    const auto path =
        std::filesystem::path(testing::TempDir()) /
        ("carat-silent-worker-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + "-" +
         std::to_string(::getpid()));
    std::ofstream(path) << "#!/bin/sh\nexec tail -f /dev/null\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  void restart_with_silent_worker() {
    LocalEngineOptions silent = patient_options();
    silent.grammar.worker_program = silent_worker();
    restart(silent);
  }
};

TEST_F(ConstrainedTest, AnswersUnderEverydaySchemasAreValid) {
  std::size_t finished = 0;
  const boost::json::array cases = read_cases("grammar/everyday.json");
  for (const auto& entry : cases) {
    SCOPED_TRACE(boost::json::serialize(entry.at("name")));
    for (const bool hurried : {false, true}) {
      GenerationRequest request = ask_for(prompt::JsonSchema{boost::json::serialize(entry.at("schema"))});
      if (hurried) hurry(request);
      const GenerationResult result = answer(request);
      if (result.finish == FinishReason::kLength) continue;
      ASSERT_EQ(result.finish, FinishReason::kStop);
      ++finished;
      EXPECT_TRUE(is_valid_answer(entry.at("schema"), result.text)) << result.text;
    }
  }
  EXPECT_GE(finished, cases.size() / 2);
}

TEST_F(ConstrainedTest, WhateverSchemaOfThePublicSuiteIsTakenIsKept) {
  std::size_t finished = 0;
  for (const auto& group : read_cases("grammar/suite.json")) {
    const boost::json::value& schema = group.at("schema");
    GenerationRequest request = ask_for(prompt::JsonSchema{boost::json::serialize(schema)}, 40);
    hurry(request);
    SCOPED_TRACE(request.constraint ? boost::json::serialize(schema) : "");
    const auto recorder = std::make_shared<Recorder>();
    if (const Result<> taken = engine_->submit(request, recorder, {}); !taken) {
      EXPECT_EQ(taken.error().kind, ErrorKind::kUsage);
      EXPECT_THAT(taken.error().message, StartsWith(kConstraintError));
      continue;
    }
    const GenerationResult& result = recorder->result();
    if (result.finish == FinishReason::kLength) continue;
    ++finished;
    EXPECT_TRUE(is_valid_answer(schema, result.text)) << result.text;
  }
  EXPECT_GE(finished, 60U);
}

// The chosen rows of the head and the full row of logits are two ways to the same answer.
TEST_F(ConstrainedTest, CandidatesAndAllLogitsGiveTheSameAnswer) {
  GenerationRequest request = ask_for(prompt::Regex{"[a-f]{3}( [0-9]{1,6}){2,4}, (is|the|a){5}"});
  for (const float temperature : {0.0F, 1.0F}) {
    request.sampling.temperature = temperature;
    request.sampling.logprobs.reset();
    const GenerationResult few = answer(request);
    const std::uint64_t before = engine_->status().steps;
    request.sampling.logprobs = 2;
    const GenerationResult all = answer(request);
    EXPECT_EQ(few.ids, all.ids);
    EXPECT_EQ(few.finish, FinishReason::kStop);
    EXPECT_GE(engine_->status().steps - before, all.ids.size());
  }
}

TEST_F(ConstrainedTest, TokensWithoutAChoiceCostNoStep) {
  const GenerationResult result = answer(ask_for(prompt::Regex{"(7?8888888888888888:){3}"}));
  EXPECT_EQ(result.finish, FinishReason::kStop);
  EXPECT_THAT(result.text, testing::MatchesRegex("(7?8888888888888888:){3}"));
  EXPECT_GE(result.ids.size(), 51U);
  EXPECT_LE(engine_->status().steps, 20U);
}

TEST_F(ConstrainedTest, LogprobsAreTheModelsOwn) {
  GenerationRequest request = ask_for(prompt::Regex{"[0-9]"});
  request.sampling.logprobs = 3;
  const auto recorder = submit(request);
  const auto tokens = recorder->events<TokenEvent>();
  ASSERT_EQ(tokens.size(), 1U);
  request.constraint.reset();
  request.sampling.max_tokens = 1;
  const auto free = submit(request)->events<TokenEvent>();
  EXPECT_EQ(tokens[0].logprobs->log_sum_exp, free[0].logprobs->log_sum_exp);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(tokens[0].logprobs->top[i].token, free[0].logprobs->top[i].token);
  }
}

TEST_F(ConstrainedTest, ChoicesGoTheirOwnWays) {
  GenerationRequest request = ask_for(prompt::Regex{"[a-z]{20}"});
  std::vector<std::shared_ptr<Recorder>> recorders;
  std::set<std::string> texts;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    request.sampling.seed = seed;
    recorders.push_back(submit(request));
  }
  for (const auto& recorder : recorders) {
    EXPECT_EQ(recorder->result().text.size(), 20U);
    texts.insert(recorder->result().text);
  }
  EXPECT_GE(texts.size(), 3U);
}

TEST_F(ConstrainedTest, StopStringsAndLengthsEndAnAnswerAsEver) {
  GenerationRequest request = ask_for(prompt::Regex{"a{30}b{30}"}, 10);
  EXPECT_EQ(answer(request).finish, FinishReason::kLength);
  request.sampling.max_tokens.reset();
  request.sampling.stop = {"bb"};
  const GenerationResult stopped = answer(request);
  EXPECT_EQ(stopped.finish, FinishReason::kStop);
  EXPECT_EQ(stopped.text, std::string(30, 'a'));
  EXPECT_EQ(stopped.stop_string, "bb");
}

TEST_F(ConstrainedTest, AnAnswerThatLosesItsMemoryGoesOnUnderItsConstraint) {
  std::vector<GenerationRequest> requests;
  for (std::uint64_t i = 0; i < 4; ++i) {
    requests.push_back(ask_for(prompt::Regex{"([a-z]{1,9} ){60}[0-9]"}, 170));
    requests.back().sampling.seed = i;
    requests.back().owner = std::to_string(i);
  }
  std::vector<std::vector<TokenId>> alone;
  for (const auto& request : requests) {
    restart(patient_options());
    alone.push_back(answer(request).ids);
  }
  restart(patient_options());
  std::vector<std::shared_ptr<Recorder>> recorders;
  {
    const Gate gate(*engine_);
    for (const auto& request : requests) recorders.push_back(submit(request));
  }
  for (std::size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(recorders[i]->result().ids, alone[i]) << i;
  EXPECT_GE(engine_->status().preemptions, 1U);
}

TEST_F(ConstrainedTest, WhatIsNotUnderstoodIsRefusedAtOnce) {
  const auto recorder = std::make_shared<Recorder>();
  const Result<> taken = engine_->submit(
      ask_for(prompt::JsonSchema{R"({"properties":{"a":{"uniqueItems":true}}})"}), recorder, {});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(taken.error().message, StartsWith(std::string(kConstraintError) + "schema at #/properties/a"));
}

TEST_F(ConstrainedTest, WhatDoesNotCompileIsRefusedBeforeAnythingIsSaid) {
  const auto recorder = submit(ask_for(prompt::Ebnf{"root ::= nothing"}));
  ASSERT_FALSE(recorder->outcome());
  EXPECT_EQ(recorder->outcome().error().kind, ErrorKind::kUsage);
  EXPECT_THAT(recorder->outcome().error().message, StartsWith(kConstraintError));
  EXPECT_TRUE(recorder->events<Admitted>().empty());
}

TEST_F(ConstrainedTest, OthersGoOnWhileAConstraintIsCompiledAndAStopEndsTheWait) {
  restart_with_silent_worker();
  std::stop_source stop;
  const auto waits = submit(ask_for(prompt::JsonObject{}), {}, stop.get_token());
  EXPECT_EQ(answer(ask({PlainText{words(5)}}, 4)).finish, FinishReason::kLength);
  EXPECT_EQ(engine_->status().waiting, 1U);
  stop.request_stop();
  EXPECT_EQ(waits->result().finish, FinishReason::kInterrupted);
  EXPECT_EQ(engine_->status().waiting, 0U);
}

TEST_F(ConstrainedTest, ADeadlineEndsTheWaitForAConstraint) {
  restart_with_silent_worker();
  GenerationRequest request = ask_for(prompt::JsonObject{});
  request.deadline = clock_.now() + std::chrono::seconds(1);
  const auto waits = submit(request);
  clock_.advance(std::chrono::seconds(2));
  EXPECT_EQ(waits->result().finish, FinishReason::kDeadline);
}

TEST_F(ConstrainedTest, TheEngineMayGoWhileAConstraintIsCompiled) {
  restart_with_silent_worker();
  const auto waits = submit(ask_for(prompt::JsonObject{}));
  const auto queued = submit(ask_for(prompt::Regex{"a"}));
  engine_.reset();
  for (const auto& recorder : {waits, queued}) {
    ASSERT_FALSE(recorder->outcome());
    EXPECT_EQ(recorder->outcome().error().kind, ErrorKind::kInterrupted);
  }
}

TEST_F(ConstrainedTest, ACompilerThatTakesTooLongOrDiesFailsTheRequestAlone) {
  LocalEngineOptions slow = patient_options();
  slow.grammar.worker_program = silent_worker();
  slow.grammar.worker.wall_time = std::chrono::milliseconds(20);
  LocalEngineOptions dead = patient_options();
  dead.grammar.worker_program = "/bin/false";
  for (const LocalEngineOptions& options : {slow, dead}) {
    restart(options);
    const auto recorder = submit(ask_for(prompt::JsonObject{}));
    EXPECT_FALSE(recorder->outcome());
    EXPECT_TRUE(recorder->events<TokenEvent>().empty());
    EXPECT_EQ(answer(ask({PlainText{words(5)}}, 4)).ids.size(), 4U);
  }
}

TEST_F(ConstrainedTest, MasksThatTakeTooLongEndTheAnswerWithAnError) {
  LocalEngineOptions hasty = patient_options();
  hasty.grammar.budget = {.microseconds = 0, .credit = 0};
  restart(hasty);
  const auto recorder = submit(ask_for(prompt::JsonObject{}));
  ASSERT_FALSE(recorder->outcome());
  EXPECT_EQ(recorder->outcome().error().kind, ErrorKind::kFailed);
  EXPECT_THAT(recorder->outcome().error().message, HasSubstr("too slow to follow"));
  EXPECT_TRUE(recorder->events<TokenEvent>().empty());
}

TEST(CheckRequestTest, AnEngineWithoutGrammarsRefusesConstraints) {
  Capabilities capabilities;
  capabilities.model = "m";
  const Result<> checked = check_request(ask_for(prompt::JsonObject{}), capabilities);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, StartsWith(kConstraintError));
}

}  // namespace
}  // namespace carat::engine
