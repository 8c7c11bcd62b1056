#include "terminal/usage_line.h"

#include <fmt/format.h>

namespace carat::terminal {

double prefill_rate(const engine::Usage& usage) {
  if (usage.prefill_seconds <= 0) return 0;
  return static_cast<double>(usage.prompt_tokens - usage.cached_tokens) / usage.prefill_seconds;
}

// The first token comes out of prefill: decode's clock starts with it.
double decode_rate(const engine::Usage& usage) {
  if (usage.decode_seconds <= 0 || usage.generated_tokens < 2) return 0;
  return static_cast<double>(usage.generated_tokens - 1) / usage.decode_seconds;
}

std::string describe_usage(const engine::Usage& usage) {
  return fmt::format("({} tokens at {:.1f} tok/s; prompt {} tokens, {} of them cached, at {:.1f} tok/s)\n",
                     usage.generated_tokens, decode_rate(usage), usage.prompt_tokens, usage.cached_tokens,
                     prefill_rate(usage));
}

}  // namespace carat::terminal
