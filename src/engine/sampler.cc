#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/counter_rng.h"
#include "base/portable_math.h"

namespace carat::engine {
namespace {

// Above this many candidates the full row of logits is no dearer.
constexpr std::int32_t kMostCandidates = 1024;

}  // namespace

void TokenHistory::add_prompt(std::span<const TokenId> tokens) {
  for (const TokenId token : tokens) uses_[token].anywhere = true;
}

void TokenHistory::add_answer(TokenId token) {
  Uses& uses = uses_[token];
  uses.anywhere = true;
  ++uses.in_answer;
}

Sampler::Sampler(const prompt::SamplingParams& params, std::uint64_t seed, const TokenMask& mask)
    : params_(params), seed_(seed), mask_(mask) {}

std::optional<std::size_t> Sampler::candidates_needed() const {
  const bool adjusts = !params_.logit_bias.empty() || params_.repetition_penalty != 1.0F ||
                       params_.frequency_penalty != 0.0F || params_.presence_penalty != 0.0F;
  if (adjusts || params_.logprobs) return std::nullopt;
  if (params_.temperature == 0.0F) return mask_.forbidden_count() + 1;
  if (params_.top_k == 0 || params_.top_k > kMostCandidates) return std::nullopt;
  return mask_.forbidden_count() + static_cast<std::size_t>(params_.top_k);
}

Result<Choice> Sampler::choose(std::span<const float> logits, std::size_t position,
                               const TokenHistory& history, TokenSet allowed) {
  CARAT_CHECK(logits.size() == mask_.vocabulary());
  entries_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) CARAT_TRY_VOID(gather(static_cast<TokenId>(i), logits[i]));

  std::optional<Logprobs> logprobs;
  if (params_.logprobs && !entries_.empty()) logprobs = describe();
  if (!allowed.is_everything())
    std::erase_if(entries_, [allowed](const Entry& entry) { return !allowed.contains(entry.token); });
  adjust(history);
  CARAT_TRY(const TokenId token, choose_gathered(position));
  if (logprobs) {
    const auto logit = static_cast<double>(logits[static_cast<std::size_t>(token)]);
    logprobs->chosen = {token, static_cast<float>(logit - logprobs->log_sum_exp), {}};
  }
  return Choice{token, std::move(logprobs)};
}

Result<Choice> Sampler::choose(std::span<const model::Candidate> candidates, std::size_t position) {
  CARAT_CHECK(candidates_needed().has_value());
  entries_.clear();
  for (const model::Candidate& candidate : candidates)
    CARAT_TRY_VOID(gather(candidate.token, candidate.logit));
  CARAT_TRY(const TokenId token, choose_gathered(position));
  return Choice{token, std::nullopt};
}

bool Sampler::ranks_before(const Entry& a, const Entry& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

Result<> Sampler::gather(TokenId token, float logit) {
  if (!mask_.allows(token) || logit == -std::numeric_limits<float>::infinity()) return {};
  if (!std::isfinite(logit)) {
    return fail(ErrorKind::kFailed, "the model gave token {} a logit of {}, expected a finite number", token,
                logit);
  }
  entries_.push_back({token, logit, 0.0});
  return {};
}

Sampler::Entry* Sampler::find(TokenId token) {
  const auto found = std::ranges::lower_bound(entries_, token, {}, &Entry::token);
  return found != entries_.end() && found->token == token ? &*found : nullptr;
}

void Sampler::adjust(const TokenHistory& history) {
  for (const prompt::LogitBias& bias : params_.logit_bias) {
    if (Entry* entry = find(bias.token)) entry->logit += bias.bias;
  }
  const double repetition = params_.repetition_penalty;
  for (const auto& [token, uses] : history.uses()) {
    Entry* entry = find(token);
    if (entry == nullptr) continue;
    // Keskar et al., "CTRL", arXiv:1909.05858; dividing a negative logit would favour the token.
    entry->logit = entry->logit > 0.0 ? entry->logit / repetition : entry->logit * repetition;
    entry->logit -= static_cast<double>(params_.frequency_penalty) * uses.in_answer;
    if (uses.in_answer > 0) entry->logit -= params_.presence_penalty;
  }
}

Logprobs Sampler::describe() const {
  const double best = std::ranges::max(entries_, {}, &Entry::logit).logit;
  double sum = 0.0;
  for (const Entry& entry : entries_) sum += portable_exp(entry.logit - best);

  Logprobs logprobs;
  logprobs.log_sum_exp = best + portable_log(sum);
  std::vector<Entry> top(std::min(entries_.size(), static_cast<std::size_t>(*params_.logprobs)));
  std::ranges::partial_sort_copy(entries_, top, ranks_before);
  for (const Entry& entry : top) {
    logprobs.top.push_back({entry.token, static_cast<float>(entry.logit - logprobs.log_sum_exp), {}});
  }
  return logprobs;
}

Result<TokenId> Sampler::choose_gathered(std::size_t position) {
  if (entries_.empty())
    return fail(ErrorKind::kFailed,
                "no token may follow: every logit is forbidden, -infinity or not a number");
  if (params_.temperature == 0.0F) return std::ranges::min_element(entries_, ranks_before)->token;

  weigh();
  if (params_.top_p < 1.0F || params_.min_p > 0.0F) truncate();

  double mass = 0.0;
  for (const Entry& entry : entries_) mass += entry.weight;
  const double target = uniform_draw(seed_, position) * mass;
  double reached = 0.0;
  TokenId last = entries_.front().token;
  for (const Entry& entry : entries_) {
    reached += entry.weight;
    if (reached > target) return entry.token;
    if (entry.weight > 0.0) last = entry.token;
  }
  return last;  // the product was rounded up to the mass itself
}

// Top-k, and the weights at this temperature. Where top-k is on the entries end up ranked, else they stay in
// order of id: either way the order, and so every sum, is a function of the logits alone.
void Sampler::weigh() {
  if (params_.top_k > 0) {
    const std::size_t kept = std::min(entries_.size(), static_cast<std::size_t>(params_.top_k));
    std::partial_sort(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(kept), entries_.end(),
                      ranks_before);
    entries_.resize(kept);
  }
  const double best = std::ranges::max(entries_, {}, &Entry::logit).logit;
  const double temperature = params_.temperature;
  for (Entry& entry : entries_) entry.weight = portable_exp((entry.logit - best) / temperature);
}

// Top-p, then min-p; leaves the entries ranked. Both keep the first tokens of the ranking.
void Sampler::truncate() {
  double mass = 0.0;
  for (const Entry& entry : entries_) mass += entry.weight;

  // Of n tokens those below this share of the n-th part weigh less than 1 - p together, so top-p drops them
  // all. Taking them out first saves sorting a whole vocabulary.
  const double top_p = params_.top_p;
  const double negligible = (1.0 - top_p) * mass / static_cast<double>(entries_.size());
  const double least = std::max<double>(params_.min_p, top_p < 1.0 ? negligible : 0.0);
  std::erase_if(entries_, [least](const Entry& entry) { return entry.weight < least; });
  std::ranges::sort(entries_, ranks_before);
  if (top_p >= 1.0) return;

  double reached = 0.0;
  std::size_t kept = 0;
  while (kept < entries_.size() && (kept == 0 || reached < top_p * mass)) reached += entries_[kept++].weight;
  entries_.resize(kept);
}

}  // namespace carat::engine
