#include "engine/token_mask.h"

#include <algorithm>

#include "base/check.h"

namespace carat::engine {

TokenMask::TokenMask(std::size_t vocabulary, std::size_t allowed) : allowed_(vocabulary, 0) {
  CARAT_CHECK(allowed <= vocabulary);
  std::fill_n(allowed_.begin(), allowed, std::uint8_t{1});
  forbidden_count_ = vocabulary - allowed;
}

void TokenMask::forbid(TokenId token) {
  if (!allows(token)) return;
  allowed_[static_cast<std::size_t>(token)] = 0;
  ++forbidden_count_;
}

}  // namespace carat::engine
