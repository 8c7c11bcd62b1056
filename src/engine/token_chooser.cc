#include "engine/token_chooser.h"

#include <algorithm>
#include <random>

namespace carat::engine {

TokenChooser::TokenChooser(const prompt::SamplingParams& params, std::uint64_t seed, const TokenMask& mask,
                           std::span<const TokenId> prompt)
    : sampler_(params, seed, mask), candidates_(sampler_.candidates_needed()) {
  history_.add_prompt(prompt);
}

Result<Choice> TokenChooser::choose(OutputReader& output, std::size_t position, TokenSet allowed) {
  // Other rows of the batch may have asked for more candidates.
  const auto few = [&](std::span<const model::Candidate> all) {
    return all.first(std::min(all.size(), *candidates_));
  };
  CARAT_TRY(Choice choice, candidates_ ? sampler_.choose(few(output.next_candidates()), position)
                                       : sampler_.choose(output.next_logits(), position, history_, allowed));
  add(choice.token);
  return choice;
}

TokenMask sampling_mask(const tokenizer::Tokenizer& tokenizer, std::size_t vocabulary) {
  TokenMask mask(vocabulary, std::min(vocabulary, tokenizer.size()));
  for (std::size_t i = 0; i < tokenizer.size(); ++i) {
    const auto token = static_cast<TokenId>(i);
    if (tokenizer.is_control(token) && !tokenizer.is_end_of_generation(token)) mask.forbid(token);
  }
  return mask;
}

std::uint64_t fresh_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) >> 11;
}

}  // namespace carat::engine
