#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "base/token_id.h"
#include "base/token_set.h"
#include "engine/sampler.h"
#include "engine/token_mask.h"
#include "model/batch.h"
#include "prompt/sampling_params.h"
#include "tokenizer/tokenizer.h"

namespace carat::engine {

// Reads what the rows of a batch yielded, row after row, in the order in which they asked.
class OutputReader {
 public:
  explicit OutputReader(const model::BatchOutput& output) : output_(output) {}

  std::span<const float> next_logits() { return output_.logits.at(logits_++); }
  std::span<const model::Candidate> next_candidates() { return output_.candidates.at(candidates_++); }

 private:
  const model::BatchOutput& output_;
  std::size_t logits_ = 0;
  std::size_t candidates_ = 0;
};

// Chooses the tokens of one answer, from as little of a row as the sampling parameters need.
class TokenChooser {
 public:
  // `params` must have passed prompt::validate(). The mask must outlive the chooser.
  TokenChooser(const prompt::SamplingParams& params, std::uint64_t seed, const TokenMask& mask,
               std::span<const TokenId> prompt);

  // What the row before the next token must yield; of candidates at least candidate_count().
  model::RowOutput row_output() const {
    return candidates_ ? model::RowOutput::kTopCandidates : model::RowOutput::kLogits;
  }
  std::size_t candidate_count() const { return candidates_.value_or(1); }

  // The token at `position` among those allowed, from the next row of `output`, whose candidates are such.
  // Errors are those of Sampler::choose.
  Result<Choice> choose(OutputReader& output, std::size_t position, TokenSet allowed);

  // A token that was not chosen, but is part of the answer all the same.
  void add(TokenId token) { history_.add_answer(token); }

 private:
  Sampler sampler_;
  TokenHistory history_;
  std::optional<std::size_t> candidates_;
};

// What may be sampled: every piece of the tokenizer but control tokens, of those only the ones that end an
// answer. `vocabulary` is the model's.
TokenMask sampling_mask(const tokenizer::Tokenizer& tokenizer, std::size_t vocabulary);

// A seed to be reported, and to be asked for again: JSON readers and the --seed flag hold integers of up to
// 2^53.
std::uint64_t fresh_seed();

}  // namespace carat::engine
