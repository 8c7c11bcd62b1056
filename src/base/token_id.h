#pragma once

#include <cstdint>

namespace carat {

// Index of a piece in the vocabulary; never negative in what the tokenizer gives out.
using TokenId = std::int32_t;

}  // namespace carat
