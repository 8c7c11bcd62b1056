#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/token_id.h"

namespace carat::grammar {

struct CompiledConstraint;

// One answer under a constraint. Every failure is final and ends the answer: an answer never goes on without
// its constraint. Not for several threads at once.
class TokenMatcher {
 public:
  static constexpr std::size_t kMostRollback = 64;  // accepted tokens that can be taken back

  // kFailed when the compiled constraint cannot be followed.
  static Result<TokenMatcher> start(std::shared_ptr<const CompiledConstraint> constraint);
  ~TokenMatcher();
  TokenMatcher(TokenMatcher&&) noexcept;
  TokenMatcher& operator=(TokenMatcher&&) noexcept;

  // Which tokens may come next: bit i % 32 of word i / 32 is token i. At least one is set; tokens that end
  // the answer are among them where it is complete. Holds until the next call of accept or rollback. kFailed
  // when nothing may follow, and when the masks of this answer took too much processor time.
  Result<std::span<const std::uint32_t>> allowed();

  // The next token where allowed() leaves only one, or only such as end the answer: neither head nor sampler
  // need to run.
  Result<std::optional<TokenId>> forced();

  // kFailed for a token that is not allowed.
  Result<> accept(TokenId token);

  // Takes the last `count` tokens back, at most kMostRollback and no more than were accepted; kFailed else.
  Result<> rollback(std::size_t count);

  // Whether a token that ends the answer has been accepted.
  bool is_terminated() const;

  // An answer of its own from here on, as for the choices of one prompt. It cannot be rolled back to before
  // this point.
  Result<TokenMatcher> clone() const;

 private:
  struct State;
  explicit TokenMatcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace carat::grammar
