#pragma once

#include <xgrammar/tokenizer_info.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "grammar/compile_job.h"
#include "tokenizer/tokenizer.h"

namespace carat::grammar {

// A vocabulary as constraints see it. Control tokens are never part of an answer, and neither are pieces that
// stand for nothing; those that end an answer are allowed where it is complete.
class TokenTable {
 public:
  explicit TokenTable(std::shared_ptr<const tokenizer::Tokenizer> tokenizer);

  const tokenizer::Tokenizer& tokenizer() const { return *tokenizer_; }
  std::size_t words() const { return usable_.size(); }  // of a mask, 32 tokens each
  // Tokens that may be in an answer at all, or end it.
  const std::vector<std::uint32_t>& usable() const { return usable_; }
  // Of those: whole characters that mean nothing to JSON's strings but themselves.
  const std::vector<std::uint32_t>& plain() const { return plain_; }
  std::size_t characters(TokenId id) const {
    return characters_[static_cast<std::size_t>(id)];
  }  // of a plain one
  std::size_t most_characters() const { return most_characters_; }
  const xgrammar::TokenizerInfo& info() const { return info_; }

  static TokenTexts texts(const tokenizer::Tokenizer& tokenizer);

 private:
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
  std::vector<std::uint32_t> usable_;
  std::vector<std::uint32_t> plain_;
  std::vector<std::uint8_t> characters_;
  std::size_t most_characters_ = 0;
  xgrammar::TokenizerInfo info_;
};

}  // namespace carat::grammar
