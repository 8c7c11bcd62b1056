#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/token_id.h"

namespace carat::engine {

// Which of the model's logits may become a token. Ids that the mask does not cover are forbidden.
class TokenMask {
 public:
  // Logits [0, vocabulary) of which the first `allowed` are permitted: a checkpoint may pad its table with
  // rows that stand for no piece.
  TokenMask(std::size_t vocabulary, std::size_t allowed);

  void forbid(TokenId token);
  bool allows(TokenId token) const {
    return token >= 0 && static_cast<std::size_t>(token) < allowed_.size() &&
           allowed_[static_cast<std::size_t>(token)];
  }
  std::size_t vocabulary() const { return allowed_.size(); }
  std::size_t forbidden_count() const { return forbidden_count_; }

 private:
  std::vector<std::uint8_t> allowed_;
  std::size_t forbidden_count_ = 0;
};

}  // namespace carat::engine
