#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token_id.h"
#include "worker/serve.h"

namespace carat::grammar {

// What XGrammar is told of a vocabulary.
struct TokenTexts {
  std::vector<std::string> texts;  // by id; empty: never allowed
  std::vector<TokenId> stop;       // allowed where the grammar is complete
};

// How a compiled grammar is tried before it is used: a random answer, whose masks must not take long. Some
// grammars compile fast and then need a second for each token.
struct Trial {
  std::uint32_t steps = 48;
  std::uint32_t microseconds = 5000;  // of processor time for one mask, on average
};

struct CompileRequest {
  Trial trial;
  std::string_view ebnf;
};

// What the masks of one answer may take, in processor time: so much for each on average, after a credit of
// some. A trial sees only the beginning of an answer, and some grammars get slow later.
struct MaskBudget {
  std::uint64_t microseconds = 5000;
  std::uint64_t credit = 48;  // masks
};

// Requests of the job: the vocabulary first, whose reply is empty, then grammars, whose reply is the compiled
// grammar as XGrammar serialises it.
std::vector<std::byte> encode_vocabulary(const TokenTexts& vocabulary);
std::vector<std::byte> encode_compile(const CompileRequest& request);

// The worker's side: XGrammar's parser and compiler, over text from outside.
worker::Job compile_job();
inline constexpr std::string_view kCompileJob = "compile-grammar";

}  // namespace carat::grammar
