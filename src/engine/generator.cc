#include "engine/generator.h"

#include <algorithm>
#include <random>
#include <span>
#include <utility>

#include "engine/answer_text.h"
#include "prompt/piece.h"

namespace carat::engine {
namespace {

// What may be sampled: every piece but control tokens, of those only the ones that end an answer.
TokenMask sampling_mask(const LoadedModel& model) {
  const tokenizer::Tokenizer& tokenizer = *model.tokenizer;
  const std::size_t vocabulary = model.model->config().vocab;
  TokenMask mask(vocabulary, std::min(vocabulary, tokenizer.size()));
  for (std::size_t i = 0; i < tokenizer.size(); ++i) {
    const auto token = static_cast<TokenId>(i);
    if (tokenizer.is_control(token) && !tokenizer.is_end_of_generation(token)) mask.forbid(token);
  }
  return mask;
}

// Reported, to be asked for again: JSON readers and the --seed flag hold integers of up to 2^53.
std::uint64_t fresh_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) >> 11;
}

// Chooses the tokens of one answer, from as little as the sampling parameters need.
class TokenChooser {
 public:
  TokenChooser(const prompt::SamplingParams& params, std::uint64_t seed, const TokenMask& mask,
               std::span<const TokenId> prompt)
      : sampler_(params, seed, mask), candidates_(sampler_.candidates_needed()) {
    history_.add_prompt(prompt);
  }

  model::RowOutput row_output() const {
    return candidates_ ? model::RowOutput::kTopCandidates : model::RowOutput::kLogits;
  }
  std::size_t candidate_count() const { return candidates_.value_or(1); }

  Result<Choice> choose(const model::BatchOutput& output, std::size_t position) {
    CARAT_TRY(Choice choice, candidates_ ? sampler_.choose(output.candidates.at(0), position)
                                         : sampler_.choose(output.logits.at(0), position, history_));
    history_.add_answer(choice.token);
    return choice;
  }

 private:
  Sampler sampler_;
  TokenHistory history_;
  std::optional<std::size_t> candidates_;
};

// Turns the time since the last lap into seconds.
class StopWatch {
 public:
  explicit StopWatch(const Clock& clock) : clock_(clock), since_(clock.now()) {}
  double lap() {
    const auto begin = std::exchange(since_, clock_.now());
    return seconds(since_ - begin);
  }

 private:
  const Clock& clock_;
  std::chrono::nanoseconds since_;
};

}  // namespace

Result<std::unique_ptr<Generator>> Generator::create(LoadedModel& model, const GeneratorOptions& options,
                                                     const Clock& clock) {
  const std::size_t longest = model.model->config().max_context;
  if (options.context_length < 2 || options.context_length > longest) {
    return fail(ErrorKind::kUsage,
                "the context must be between 2 and the {} tokens that {} can use, found {}", longest,
                model.name, options.context_length);
  }
  if (options.prefill_chunk == 0)
    return fail(ErrorKind::kUsage, "the prefill chunk must be 1 or more, found 0");
  const model::KvGeometry geometry(model.model->config(), options.kv_type);
  const KvCapacity capacity = sequence_capacity(
      geometry, {.context_length = options.context_length,
                 .step_rows = std::min(options.prefill_chunk, options.context_length),
                 .rollback_tokens = std::min(options.rollback_tokens, options.context_length)});
  if (capacity.bytes(geometry) > options.max_kv_bytes) {
    return fail(ErrorKind::kDoesNotFit,
                "a context of {} tokens needs up to {} MiB for its KV cache, allowed are {}",
                options.context_length, (capacity.bytes(geometry) >> 20) + 1, options.max_kv_bytes >> 20);
  }
  return std::unique_ptr<Generator>(new Generator(model, options, geometry, capacity, clock));
}

Generator::Generator(LoadedModel& model, const GeneratorOptions& options, const model::KvGeometry& geometry,
                     const KvCapacity& capacity, const Clock& clock)
    : model_(model),
      options_(options),
      clock_(clock),
      mask_(sampling_mask(model)),
      pool_(geometry, capacity),
      sequence_(pool_, std::min(options.rollback_tokens, options.context_length)) {}

void Generator::clear() {
  sequence_.truncate(0);
  cached_ids_.clear();
}

Result<std::vector<TokenId>> Generator::prompt_ids(const prompt::GenerationRequest& request) const {
  std::vector<TokenId> ids = prompt::encode(request.prompt, *model_.tokenizer);
  if (const auto bos = model_.tokenizer->bos()) {
    const auto text = std::ranges::find_if(ids, [&bos](TokenId id) { return id != *bos; });
    ids.erase(ids.begin(), text);
    ids.insert(ids.begin(), *bos);
  }
  const std::size_t vocabulary = model_.model->config().vocab;
  for (const TokenId id : ids) {
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary) {
      return fail(ErrorKind::kUsage, "the prompt holds token {}, but the model has {} tokens", id,
                  vocabulary);
    }
  }
  if (ids.empty()) return fail(ErrorKind::kUsage, "the prompt is empty");
  if (ids.size() >= options_.context_length) {
    return fail(ErrorKind::kFailed,
                "the prompt has {} tokens and leaves no room for an answer in the context of {} tokens",
                ids.size(), options_.context_length);
  }
  return ids;
}

// Keeps of the cache what `prompt` begins with and returns its length. At least one token is left to run,
// since only a run yields logits.
std::size_t Generator::reuse_cache(const std::vector<TokenId>& prompt) {
  const auto common = std::ranges::mismatch(prompt, cached_ids_).in1 - prompt.begin();
  std::size_t reused = std::min(static_cast<std::size_t>(common), prompt.size() - 1);
  if (!sequence_.can_truncate(reused)) reused = 0;
  sequence_.truncate(reused);
  cached_ids_.resize(reused);
  return reused;
}

Result<> Generator::run(std::span<const TokenId> tokens, model::RowOutput last_output,
                        const std::stop_token& stop) {
  CARAT_TRY_VOID(sequence_.prepare(tokens.size()));
  rows_.clear();
  for (const TokenId token : tokens) {
    model::Row& row = rows_.emplace_back();
    row.token = token;
    row.position = static_cast<std::uint32_t>(sequence_.length() + rows_.size() - 1);
  }
  rows_.back().output = last_output;
  const model::SequenceKv view = sequence_.view();
  const model::Batch batch{.rows = rows_, .sequences = {&view, 1}, .geometry = &pool_.geometry()};
  CARAT_TRY_VOID(model_.model->forward(batch, stop, output_));
  sequence_.advance(tokens.size());
  cached_ids_.insert(cached_ids_.end(), tokens.begin(), tokens.end());
  return {};
}

Result<> Generator::prefill(std::span<const TokenId> tokens, model::RowOutput last_output,
                            const EventSink& sink, const std::stop_token& stop) {
  for (std::size_t done = 0; done < tokens.size();) {
    const std::size_t count = std::min(options_.prefill_chunk, tokens.size() - done);
    const bool last = done + count == tokens.size();
    CARAT_TRY_VOID(run(tokens.subspan(done, count), last ? last_output : model::RowOutput::kNone, stop));
    done += count;
    sink(PrefillProgress{done, tokens.size()});
  }
  return {};
}

Result<GenerationResult> Generator::generate(const prompt::GenerationRequest& request, const EventSink& sink,
                                             const std::stop_token& stop) {
  CARAT_TRY_VOID(prompt::validate(request.sampling, mask_.vocabulary()));
  CARAT_TRY(const std::vector<TokenId> prompt, prompt_ids(request));
  auto result = answer(prompt, request.sampling, sink, stop);
  if (!result) clear();  // what the cache holds may be the reason
  return result;
}

Result<GenerationResult> Generator::answer(const std::vector<TokenId>& prompt,
                                           const prompt::SamplingParams& params, const EventSink& sink,
                                           const std::stop_token& stop) {
  GenerationResult result;
  result.seed = params.seed ? *params.seed : fresh_seed();
  result.usage.prompt_tokens = prompt.size();
  StopWatch watch(clock_);

  TokenChooser chooser(params, result.seed, mask_, prompt);
  output_.candidate_count = chooser.candidate_count();
  result.usage.cached_tokens = reuse_cache(prompt);
  const std::span<const TokenId> unread = std::span(prompt).subspan(result.usage.cached_tokens);
  Result<> ran = prefill(unread, chooser.row_output(), sink, stop);
  result.usage.prefill_seconds = watch.lap();

  const std::size_t room = options_.context_length - prompt.size();
  const std::size_t most = std::min<std::size_t>(room, params.max_tokens.value_or(room));
  AnswerText text(model_.tokenizer, params.stop);
  while (ran) {
    CARAT_TRY(Choice choice, chooser.choose(output_, prompt.size() + result.usage.generated_tokens));
    ++result.usage.generated_tokens;
    if (model_.tokenizer->is_end_of_generation(choice.token)) break;
    std::string shown = text.add(choice.token);
    sink(TokenEvent{choice.token, std::move(shown), std::move(choice.logprobs)});
    if (text.stopped()) break;
    if (result.usage.generated_tokens == most) {
      result.finish = FinishReason::kLength;
      result.context_full = most == room;
      break;
    }
    ran = run({&choice.token, 1}, chooser.row_output(), stop);
  }
  if (!ran) {
    if (ran.error().kind != ErrorKind::kInterrupted) return std::unexpected(ran.error());
    result.finish = FinishReason::kInterrupted;
  }
  if (std::string trailing = text.finish(); !trailing.empty()) sink(TrailingText{std::move(trailing)});
  result.usage.decode_seconds = watch.lap();
  result.text = text.shown();
  result.ids = text.ids();
  return result;
}

}  // namespace carat::engine
