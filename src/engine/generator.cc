#include "engine/generator.h"

#include <algorithm>
#include <random>
#include <span>
#include <utility>

#include "engine/answer_text.h"

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

// An image is read in one step, however short the chunks are.
std::size_t longest_step(const LoadedModel& model, const GeneratorOptions& options) {
  const std::size_t image = model.vision ? model.vision->config().tokens() : 0;
  return std::max(options.prefill_chunk, image);
}

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
  const model::KvCapacity capacity = model::sequence_capacity(
      geometry, {.context_length = options.context_length,
                 .step_rows = std::min(longest_step(model, options), options.context_length),
                 .rollback_tokens = std::min(options.rollback_tokens, options.context_length)});
  if (capacity.bytes(geometry) > options.max_kv_bytes) {
    return fail(ErrorKind::kDoesNotFit,
                "a context of {} tokens needs up to {} MiB for its KV cache, allowed are {}",
                options.context_length, (capacity.bytes(geometry) >> 20) + 1, options.max_kv_bytes >> 20);
  }
  return std::unique_ptr<Generator>(new Generator(model, options, geometry, capacity, clock));
}

Generator::Generator(LoadedModel& model, const GeneratorOptions& options, const model::KvGeometry& geometry,
                     const model::KvCapacity& capacity, const Clock& clock)
    : model_(model),
      options_(options),
      clock_(clock),
      mask_(sampling_mask(model)),
      pool_(geometry, capacity),
      sequence_(pool_, std::min(options.rollback_tokens, options.context_length)) {
  if (model.vision) images_.emplace(*model.vision, options.image_cache);
}

void Generator::clear() {
  sequence_.truncate(0);
  cached_ = {};
}

Result<PromptTokens> Generator::encode(const prompt::GenerationRequest& request) {
  CARAT_TRY(PromptTokens prompt, encode_prompt(request.prompt, model_, images_ ? &*images_ : nullptr));
  if (prompt.ids.size() >= options_.context_length) {
    return fail(ErrorKind::kFailed,
                "the prompt has {} tokens and leaves no room for an answer in the context of {} tokens",
                prompt.ids.size(), options_.context_length);
  }
  return prompt;
}

// Keeps of the cache what `prompt` begins with and returns its length. At least one token is left to run,
// since only a run yields logits.
std::size_t Generator::reuse_cache(const PromptTokens& prompt) {
  std::size_t reused = std::min(common_prefix(prompt, cached_), prompt.ids.size() - 1);
  reused = whole_images(prompt, reused);
  if (!sequence_.can_truncate(reused)) reused = 0;
  sequence_.truncate(reused);
  cached_.ids.resize(reused);
  std::erase_if(cached_.spans, [reused](const ImageSpan& span) { return span.end > reused; });
  return reused;
}

Result<> Generator::run(const PromptTokens& tokens, std::size_t end, model::RowOutput last_output,
                        const std::stop_token& stop) {
  const std::size_t begin = sequence_.length();
  CARAT_TRY_VOID(sequence_.prepare(end - begin));
  rows_.clear();
  append_rows(tokens, begin, end, model_.model->config().d_model, rows_);
  rows_.back().output = last_output;
  const model::SequenceKv view = sequence_.view();
  const model::Batch batch{.rows = rows_, .sequences = {&view, 1}, .geometry = &pool_.geometry()};
  CARAT_TRY_VOID(model_.model->forward(batch, stop, output_));
  sequence_.advance(end - begin);
  return {};
}

Result<> Generator::look(PromptTokens& prompt, std::size_t from, const EventSink& sink,
                         const std::stop_token& stop) {
  if (prompt.spans.empty()) return {};
  return read_images(prompt, from, *images_, stop,
                     [&](std::size_t done, std::size_t total) { sink(ImageProgress{done, total}); });
}

Result<> Generator::prefill(const PromptTokens& prompt, model::RowOutput last_output, const EventSink& sink,
                            const std::stop_token& stop) {
  const std::size_t first = sequence_.length();
  const std::size_t size = prompt.ids.size();
  while (sequence_.length() < size) {
    const std::size_t end = step_end(prompt, sequence_.length(), options_.prefill_chunk);
    CARAT_TRY_VOID(run(prompt, end, end == size ? last_output : model::RowOutput::kNone, stop));
    remember(prompt, end);
    sink(PrefillProgress{end - first, size - first});
  }
  return {};
}

Result<> Generator::run_answer_token(TokenId token, model::RowOutput output, const std::stop_token& stop) {
  cached_.ids.push_back(token);
  auto ran = run(cached_, cached_.ids.size(), output, stop);
  if (!ran) cached_.ids.pop_back();
  return ran;
}

void Generator::remember(const PromptTokens& prompt, std::size_t end) {
  cached_.ids.assign(prompt.ids.begin(), prompt.ids.begin() + static_cast<std::ptrdiff_t>(end));
  cached_.spans.clear();
  for (const ImageSpan& span : prompt.spans) {
    if (span.end <= end) cached_.spans.push_back({.begin = span.begin, .end = span.end, .key = span.key});
  }
}

Result<GenerationResult> Generator::generate(const prompt::GenerationRequest& request, const EventSink& sink,
                                             const std::stop_token& stop) {
  CARAT_TRY_VOID(prompt::validate(request.sampling, mask_.vocabulary()));
  CARAT_TRY(PromptTokens prompt, encode(request));
  auto result = answer(prompt, request.sampling, sink, stop);
  if (!result) clear();  // what the cache holds may be the reason
  return result;
}

Result<GenerationResult> Generator::answer(PromptTokens& prompt, const prompt::SamplingParams& params,
                                           const EventSink& sink, const std::stop_token& stop) {
  GenerationResult result;
  result.seed = params.seed ? *params.seed : fresh_seed();
  result.usage.prompt_tokens = prompt.ids.size();
  StopWatch watch(clock_);

  TokenChooser chooser(params, result.seed, mask_, prompt.ids);
  output_.candidate_count = chooser.candidate_count();
  result.usage.cached_tokens = reuse_cache(prompt);
  Result<> ran = look(prompt, result.usage.cached_tokens, sink, stop);
  if (ran) ran = prefill(prompt, chooser.row_output(), sink, stop);
  result.usage.prefill_seconds = watch.lap();

  const std::size_t room = options_.context_length - prompt.ids.size();
  const std::size_t most = std::min<std::size_t>(room, params.max_tokens.value_or(room));
  AnswerText text(model_.tokenizer, params.stop);
  while (ran) {
    CARAT_TRY(Choice choice, chooser.choose(output_, prompt.ids.size() + result.usage.generated_tokens));
    ++result.usage.generated_tokens;
    if (model_.tokenizer->is_end_of_generation(choice.token)) break;
    std::string shown = text.add(choice.token);
    sink(TokenEvent{choice.token, {}, std::move(shown), std::move(choice.logprobs)});
    if (text.stopped()) break;
    if (result.usage.generated_tokens == most) {
      result.finish = FinishReason::kLength;
      result.context_full = most == room;
      break;
    }
    ran = run_answer_token(choice.token, chooser.row_output(), stop);
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
