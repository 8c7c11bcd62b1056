#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/counter_rng.h"
#include "grammar/grammar_compiler.h"
#include "grammar/token_matcher.h"
#include "tokenizer/test_full_vocabulary.h"
#include "tokenizer/tokenizer.h"

namespace carat::grammar {

// A vocabulary in Gemma's layout that can write JSON in awkward steps: tokens that end one string and begin
// the next, halves of characters, and control tokens spelled like text.
inline std::shared_ptr<const tokenizer::Tokenizer> json_vocabulary() {
  std::vector<std::string> texts = {"<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"};
  std::vector<std::int32_t> types(texts.size(), 3);
  const auto add = [&](std::string text, std::int32_t type) {
    texts.push_back(std::move(text));
    types.push_back(type);
  };
  for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte), 6);
  for (const char* text : {"{\"",  "\":",    "\":\"",        "\",\"", "\"}",      "},{",    "]}",
                           "[[",   "]]",     "aa",           "aaaa",  "aaaaaaaa", "\",\"a", "true",
                           "null", "\u00e9", "\u00e9\u00e9", "12",    "0.",       "\u2581", "\u2581a"}) {
    add(text, 1);
  }
  for (char c = '!'; c <= '~'; ++c) add(std::string(1, c), 1);
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  std::vector<float> scores;
  for (std::size_t i = 0; i < texts.size(); ++i) scores.push_back(-static_cast<float>(i));
  return tokenizer::Tokenizer::from_pieces("json", {.texts = views, .scores = scores, .types = types})
      .value();
}

// Limits that no slow machine and no sanitizer reaches.
inline CompilerOptions patient() {
  CompilerOptions options;
  options.worker.wall_time = std::chrono::minutes(5);
  options.trial.microseconds = 10'000'000;
  options.budget.microseconds = 10'000'000;
  return options;
}

inline bool allows(std::span<const std::uint32_t> mask, TokenId id) {
  return (mask[static_cast<std::size_t>(id) / 32] >> (static_cast<std::size_t>(id) % 32) & 1U) != 0;
}

// Whether the constraint lets a model write exactly this text, and end there.
inline bool accepts(const std::shared_ptr<const CompiledConstraint>& constraint,
                    const tokenizer::Tokenizer& tokenizer, std::string_view text) {
  auto matcher = TokenMatcher::start(constraint);
  if (!matcher) return false;
  for (const TokenId id : tokenizer.encode(text, tokenizer::ControlTokens::kAsText)) {
    const auto mask = matcher->allowed();
    if (!mask || !allows(*mask, id) || !matcher->accept(id)) return false;
  }
  const auto mask = matcher->allowed();
  return mask && allows(*mask, *tokenizer.end_of_turn());
}

// Writes at random what the masks allow. After a while it closes what it can; nullopt when that did not end
// it.
inline std::optional<std::string> random_answer(const std::shared_ptr<const CompiledConstraint>& constraint,
                                                const tokenizer::Tokenizer& tokenizer, std::uint64_t seed) {
  constexpr std::uint64_t kPatience = 40;
  constexpr std::uint64_t kMost = 2000;
  TokenMatcher matcher = TokenMatcher::start(constraint).value();
  std::string text;
  for (std::uint64_t step = 0; step < kMost; ++step) {
    const auto mask = matcher.allowed();
    if (!mask) {
      ADD_FAILURE() << mask.error().message << " after " << text;
      return std::nullopt;
    }
    std::vector<TokenId> choices;
    for (std::size_t id = 0; id < tokenizer.size(); ++id) {
      if (allows(*mask, static_cast<TokenId>(id))) choices.push_back(static_cast<TokenId>(id));
    }
    const auto pick = [&](const std::vector<TokenId>& from) {
      return from[static_cast<std::size_t>(uniform_draw(seed, 2 * step) * static_cast<double>(from.size()))];
    };
    std::vector<TokenId> closing;
    for (const TokenId id : choices) {
      const std::string_view piece = tokenizer.piece(id);
      const bool closes = tokenizer.is_end_of_generation(id) || piece == "\"" || piece == "}" || piece == "]";
      if (closes) closing.push_back(id);
    }
    const bool hurry = step > kPatience || uniform_draw(seed, 2 * step + 1) < 0.2;
    const TokenId chosen = pick(hurry && !closing.empty() ? closing : choices);
    EXPECT_FALSE(tokenizer.is_control(chosen) && !tokenizer.is_end_of_generation(chosen)) << chosen;
    if (const auto accepted = matcher.accept(chosen); !accepted) {
      ADD_FAILURE() << accepted.error().message;
      return std::nullopt;
    }
    if (matcher.is_terminated()) return text;
    text += tokenizer.piece(chosen);
  }
  return std::nullopt;
}

// The tests run with the small vocabulary and, where the default model is there, with Gemma's.
enum class TestVocabulary { kSmall, kGemma };

class AnswerTest : public testing::TestWithParam<TestVocabulary> {
 protected:
  void SetUp() override {
    if (GetParam() == TestVocabulary::kSmall) {
      tokenizer_ = json_vocabulary();
    } else {
      const std::string path = tokenizer::default_model_path();
      if (!std::filesystem::exists(path)) GTEST_SKIP() << "the default model is not installed";
      tokenizer_ =
          tokenizer::Tokenizer::from_pieces(path, tokenizer::read_gguf_tokenizer(path)->arrays()).value();
    }
    compiler_ = std::make_unique<GrammarCompiler>(tokenizer_, patient());
  }

  Result<std::shared_ptr<const CompiledConstraint>> compile(const prompt::Constraint& constraint) {
    return compiler_->compile(constraint);
  }
  bool accepts(const std::shared_ptr<const CompiledConstraint>& constraint, std::string_view text) const {
    return grammar::accepts(constraint, *tokenizer_, text);
  }

  std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
  std::unique_ptr<GrammarCompiler> compiler_;
};

inline std::string name_of(const testing::TestParamInfo<TestVocabulary>& info) {
  return info.param == TestVocabulary::kSmall ? "small" : "gemma";
}

}  // namespace carat::grammar
