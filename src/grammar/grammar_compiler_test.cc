#include "grammar/grammar_compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "grammar/test_answers.h"

namespace carat::grammar {
namespace {

using testing::HasSubstr;

prompt::JsonSchema schema(std::string text) { return {std::move(text)}; }

TEST(GrammarCompilerTest, TheSameConstraintIsCompiledOnce) {
  GrammarCompiler compiler(json_vocabulary(), patient());
  EXPECT_EQ(compiler.counts().started, 0U);
  const auto first = compiler.compile(schema(R"({"type":"integer"})"));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(compiler.compile(schema(R"({"type":"integer"})")).value(), *first);
  EXPECT_NE(compiler.compile(schema(R"({"type":"string","maxLength":3})")).value(),
            compiler.compile(schema(R"({"type":"string","maxLength":4})")).value());
  EXPECT_EQ(compiler.counts().compiled, 3U);
  EXPECT_EQ(compiler.counts().found, 1U);
  EXPECT_EQ(compiler.counts().started, 1U);
}

TEST(GrammarCompilerTest, TheLeastRecentlyUsedIsForgotten) {
  CompilerOptions options = patient();
  options.cached = 2;
  GrammarCompiler compiler(json_vocabulary(), options);
  for (const char* pattern : {"a", "b", "a", "c", "a", "b"})
    ASSERT_TRUE(compiler.compile(prompt::Regex{pattern}));
  EXPECT_EQ(compiler.counts().found, 2U);
  EXPECT_EQ(compiler.counts().compiled, 4U);
}

TEST(GrammarCompilerTest, ThreadsShareIt) {
  GrammarCompiler compiler(json_vocabulary(), patient());
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (const char* pattern : {"a", "b", "c"}) EXPECT_TRUE(compiler.compile(prompt::Regex{pattern}));
    });
  }
  threads.clear();
  EXPECT_EQ(compiler.counts().compiled, 3U);
}

TEST(GrammarCompilerTest, WrongGrammarsAreTheSendersFault) {
  GrammarCompiler compiler(json_vocabulary(), patient());
  for (const char* text : {"", "root ::= ", "root ::= missing", "other ::= \"a\"", "root ::= \"",
                           "root ::= (\"a\"", "root ::= Token(99999999)", "root ::= \"a\"{5,2}"}) {
    const auto compiled = compiler.compile(prompt::Ebnf{text});
    ASSERT_FALSE(compiled) << text;
    EXPECT_EQ(compiled.error().kind, ErrorKind::kUsage) << compiled.error().message;
    EXPECT_EQ(compiled.error().message.find(".cc"), std::string::npos) << compiled.error().message;
  }
  EXPECT_FALSE(compiler.compile(prompt::Ebnf{std::string("root ::= \"a\"\0", 13)}));
  EXPECT_FALSE(compiler.compile(prompt::Ebnf{"root ::= \"\xff\""}));
  EXPECT_FALSE(compiler.compile(prompt::Ebnf{std::string(2 << 20, ' ')}));
  EXPECT_TRUE(compiler.compile(prompt::Regex{"a"})) << "a refused grammar leaves the worker usable";
}

TEST(GrammarCompilerTest, AWorkerAtItsTimeLimitIsEndedAndTheNextGrammarGetsANewOne) {
  CompilerOptions options = patient();
  options.worker.wall_time = std::chrono::milliseconds(0);
  GrammarCompiler compiler(json_vocabulary(), options);
  for (std::size_t i = 1; i <= 2; ++i) {
    const auto compiled = compiler.compile(prompt::JsonObject{});
    ASSERT_FALSE(compiled);
    EXPECT_THAT(compiled.error().message, HasSubstr("the worker was ended after"));
    EXPECT_EQ(compiler.counts().started, i);
  }
}

TEST(GrammarCompilerTest, DeepNestingIsRefused) {
  GrammarCompiler compiler(json_vocabulary(), patient());
  std::string deep = "root ::= ";
  deep.append(200'000, '(').append("\"a\"");
  EXPECT_FALSE(compiler.compile(prompt::Ebnf{deep}));
  EXPECT_TRUE(compiler.compile(prompt::Regex{"a"}));
}

TEST(GrammarCompilerTest, AGrammarThatIsSlowToFollowIsRefused) {
  CompilerOptions options = patient();
  options.trial.microseconds = 0;
  GrammarCompiler compiler(json_vocabulary(), options);
  std::string wide = "root ::= item*\nitem ::= ";
  for (char c = 'a'; c <= 'z'; ++c) wide += fmt::format("\"{0}\" | \"{0}{0}\" | ", c);
  const auto compiled = compiler.compile(prompt::Ebnf{wide + "\"!\"\n"});
  ASSERT_FALSE(compiled);
  EXPECT_THAT(compiled.error().message, HasSubstr("too slow to follow"));
}

TEST(GrammarCompilerTest, WithoutItsWorkerNothingIsCompiled) {
  CompilerOptions options = patient();
  options.worker_program = "/nonexistent/worker";
  GrammarCompiler compiler(json_vocabulary(), options);
  EXPECT_FALSE(compiler.compile(prompt::JsonObject{}));
}

TEST(GrammarCompilerTest, ARequestToStopIsHeard) {
  GrammarCompiler compiler(json_vocabulary(), patient());
  std::stop_source stop;
  stop.request_stop();
  const auto compiled = compiler.compile(prompt::JsonObject{}, stop.get_token());
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error().kind, ErrorKind::kInterrupted);
  EXPECT_TRUE(compiler.compile(prompt::JsonObject{}));
}

}  // namespace
}  // namespace carat::grammar
