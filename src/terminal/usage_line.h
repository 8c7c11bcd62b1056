#pragma once

#include <string>

#include "engine/generation.h"

namespace carat::terminal {

// Tokens per second, 0 where nothing was timed.
double prefill_rate(const engine::Usage& usage);
double decode_rate(const engine::Usage& usage);

// "(120 tokens at 84.2 tok/s; prompt 512 tokens, 480 of them cached, at 700.1 tok/s)\n"
std::string describe_usage(const engine::Usage& usage);

}  // namespace carat::terminal
