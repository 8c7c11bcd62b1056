#include "measure/perplexity.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "parallel/thread_pool.h"

namespace carat::measure {
namespace {

constexpr std::size_t kSmallestContext = 4;

// Sums over scored tokens, and what they make.
class Tally {
 public:
  void add(double nll) {
    sum_ += nll;
    squares_ += nll * nll;
    ++count_;
  }

  PerplexityResult result(std::size_t context, std::size_t chunks) const {
    PerplexityResult result = {.context = context, .chunks = chunks, .scored = count_};
    const double count = static_cast<double>(count_);
    const double mean = sum_ / count;
    const double variance = std::max(0.0, squares_ / count - mean * mean);
    result.perplexity = std::exp(mean);
    if (count_ > 1) result.error = result.perplexity * std::sqrt(variance / (count - 1));
    return result;
  }

 private:
  double sum_ = 0;
  double squares_ = 0;
  std::size_t count_ = 0;
};

// Scores one chunk: row i predicts token i + 1, for i from the chunk's half to its last but one.
Result<> score_chunk(SequenceModel& sequence, std::span<const TokenId> chunk, parallel::ThreadPool& pool,
                     const std::stop_token& stop, Tally& tally) {
  sequence.reset();
  const std::size_t first = chunk.size() / 2;
  for (std::size_t begin = 0; begin < first;) {
    const std::size_t size = std::min(kPrefillTokens, first - begin);
    CARAT_TRY([[maybe_unused]] const auto none, sequence.append(chunk.subspan(begin, size), 0, stop));
    begin += size;
  }
  const std::size_t last = chunk.size() - 1;
  for (std::size_t begin = first; begin < last;) {
    const std::size_t size = std::min(kScoredRows, last - begin);
    CARAT_TRY(const auto logits, sequence.append(chunk.subspan(begin, size), size, stop));
    std::vector<double> nll(size);
    pool.run(size, [&](std::size_t row, std::size_t) {
      nll[row] = negative_log_likelihood(logits[row], chunk[begin + row + 1]);
    });
    for (const double value : nll) tally.add(value);
    begin += size;
  }
  return {};
}

}  // namespace

double negative_log_likelihood(std::span<const float> logits, TokenId target) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(target)]);
}

Result<PerplexityResult> score_tokens(SequenceModel& sequence, std::span<const TokenId> tokens, TokenId bos,
                                      const PerplexityOptions& options, const PerplexityProgress& progress,
                                      const std::stop_token& stop) {
  const std::size_t context = options.context;
  if (context < kSmallestContext) {
    return fail(ErrorKind::kUsage, "a context of {} tokens is too small: at least {} are needed", context,
                kSmallestContext);
  }
  // llama-perplexity's rule; a single chunk would say little anyway.
  if (tokens.size() / 2 < context) {
    return fail(ErrorKind::kFailed, "the text has {} tokens, but two chunks of {} need at least {}",
                tokens.size(), context, 2 * context);
  }
  std::size_t chunks = tokens.size() / context;
  if (options.chunks > 0) chunks = std::min(chunks, options.chunks);
  parallel::ThreadPool pool(options.threads);
  Tally tally;
  for (std::size_t done = 0; done < chunks; ++done) {
    if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(done * context);
    std::vector<TokenId> chunk(begin, begin + static_cast<std::ptrdiff_t>(context));
    chunk.front() = bos;
    CARAT_TRY_VOID(score_chunk(sequence, chunk, pool, stop, tally));
    if (progress) progress(tally.result(context, done + 1), chunks);
  }
  const PerplexityResult result = tally.result(context, chunks);
  if (!std::isfinite(result.perplexity)) return fail(ErrorKind::kFailed, "the model's logits are not finite");
  return result;
}

Result<PerplexityResult> run_perplexity(engine::LoadedModel& model, std::string_view text,
                                        const PerplexityOptions& options, const PerplexityProgress& progress,
                                        const std::stop_token& stop) {
  const auto bos = model.tokenizer->bos();
  if (!bos)
    return fail(ErrorKind::kInvalidModel, "{}: the vocabulary has no <bos>, which every chunk begins with",
                model.path);
  std::vector<TokenId> tokens = {*bos};
  const std::vector<TokenId> ids = model.tokenizer->encode(text, tokenizer::ControlTokens::kAsText);
  tokens.insert(tokens.end(), ids.begin(), ids.end());
  CARAT_TRY(const std::unique_ptr<SequenceModel> sequence,
            make_sequence_model(model, options.context, options.kv_type));
  return score_tokens(*sequence, tokens, *bos, options, progress, stop);
}

std::string perplexity_json(const PerplexityResult& result) {
  const boost::json::object object = {{"perplexity", result.perplexity},
                                      {"error", result.error},
                                      {"context", result.context},
                                      {"chunks", result.chunks},
                                      {"scored_tokens", result.scored}};
  return boost::json::serialize(object) + "\n";
}

}  // namespace carat::measure
