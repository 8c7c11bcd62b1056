#include "engine/active_request.h"

#include <algorithm>
#include <string>
#include <utility>

namespace carat::engine {
namespace {

std::string bytes_of(const tokenizer::Tokenizer& tokenizer, TokenId token) {
  return tokenizer.contains(token) ? std::string(tokenizer.piece(token)) : std::string();
}

std::uint64_t seed_of(const prompt::SamplingParams& params) {
  return params.seed ? *params.seed : fresh_seed();
}

}  // namespace

ActiveRequest::ActiveRequest(prompt::GenerationRequest request, PromptTokens prompt,
                             std::vector<model::WeightedAdapter> adapters, std::shared_ptr<Receiver> receiver,
                             std::stop_token stop, const RequestSurroundings& surroundings)
    : request_(std::move(request)),
      scope_{.owner = request_.owner, .adapters = std::move(adapters)},
      receiver_(std::move(receiver)),
      stop_(std::move(stop)),
      surroundings_(surroundings),
      tokens_(std::move(prompt)),
      prompt_size_(tokens_.ids.size()),
      seed_(seed_of(request_.sampling)),
      chooser_(request_.sampling, seed_, surroundings.mask, tokens_.ids),
      text_(surroundings.model.tokenizer, request_.sampling.stop),
      prompt_reported_(request_.prompt_logprobs ? 0 : prompt_size_),
      submitted_(surroundings.clock.now()) {
  request_.prompt.clear();
  request_.messages.clear();
  usage_.prompt_tokens = prompt_size_;
}

ActiveRequest::~ActiveRequest() {
  if (compiling_) compiling_->abandon();
}

bool ActiveRequest::compiles() {
  if (!compiling_) return false;
  if (!compiling_->is_done()) return true;
  auto matcher = compiling_->start();
  compiling_ = nullptr;
  if (matcher) {
    matcher_ = std::move(*matcher);
  } else {
    outcome_ = std::move(matcher).error();
  }
  return false;
}

bool ActiveRequest::check_over() {
  if (outcome_) return true;
  if (stop_.stop_requested()) {
    outcome_ = FinishReason::kInterrupted;
  } else if (request_.deadline && surroundings_.clock.now() >= *request_.deadline) {
    outcome_ = FinishReason::kDeadline;
  }
  return outcome_.has_value();
}

void ActiveRequest::start(std::unique_ptr<KvSequence> kv) {
  kv_ = std::move(kv);
  next_view_ = 0;
  skip_known_images();
  progress_from_ = kv_->length();
  if (const Result<> prepared = prepare_choice(); !prepared) outcome_ = prepared.error();
  if (admitted_) return;
  admitted_ = true;
  views_begin_ = next_view_;
  admitted_at_ = surroundings_.clock.now();
  usage_.queue_seconds = seconds(*admitted_at_ - submitted_);
  usage_.cached_tokens = kv_->length();
  receiver_->on_event(Admitted{usage_.prompt_tokens, usage_.cached_tokens});
}

// Images whose keys and values are there already need not be looked at.
void ActiveRequest::skip_known_images() {
  const auto known = [this](const ImageSpan& span) {
    return span.end <= kv_->length() || span.soft_tokens != nullptr;
  };
  while (needs_image() && known(tokens_.spans[next_view_])) ++next_view_;
}

Result<> ActiveRequest::look(ImageReader& images, const std::stop_token& stop) {
  ImageSpan& span = tokens_.spans[next_view_];
  const std::size_t total = tokens_.spans.size() - views_begin_;  // of views
  receiver_->on_event(ImageProgress{next_view_ - views_begin_, total});
  CARAT_TRY(span.soft_tokens, images.read(span.image, span.view, request_.owner, stop));
  skip_known_images();
  if (!needs_image()) receiver_->on_event(ImageProgress{total, total});
  return {};
}

std::size_t ActiveRequest::most_tokens() const {
  return std::min<std::size_t>(room(), request_.sampling.max_tokens.value_or(room()));
}

// Whether the log-probability of the prompt's token at `position` comes from the row before it.
bool ActiveRequest::is_reported(std::size_t position) const {
  if (position == 0 || position < prompt_reported_ || position >= prompt_size_) return false;
  return std::ranges::none_of(tokens_.spans, [position](const ImageSpan& span) {
    return span.begin <= position && position < span.end;
  });
}

model::RowOutput ActiveRequest::output_of(std::size_t position) const {
  if (is_reported(position + 1)) return model::RowOutput::kLogits;
  const bool last = position + 1 == tokens_.ids.size();
  return last && most_tokens() > 0 ? chooser_.row_output() : model::RowOutput::kNone;
}

void ActiveRequest::append_rows(std::size_t end, std::size_t sequence, std::vector<model::Row>& rows) const {
  const std::size_t begin = kv_->length();
  const std::size_t first_row = rows.size();
  engine::append_rows(tokens_, begin, end, surroundings_.model.model->config().d_model, rows);
  for (std::size_t position = begin; position < end; ++position) {
    model::Row& row = rows[first_row + position - begin];
    row.sequence = static_cast<std::uint32_t>(sequence);
    row.output = output_of(position);
    if (row.output == model::RowOutput::kTopCandidates) row.allowed = allowed_;
  }
}

void ActiveRequest::take(std::size_t end, OutputReader& output) {
  kv_->advance(end - kv_->length());
  if (usage_.generated_tokens == 0) {
    receiver_->on_event(PrefillProgress{end - progress_from_, prompt_size_ - progress_from_});
  }
  Result<> taken = report_prompt(end, output);
  if (taken && end == tokens_.ids.size()) taken = sample(output);
  if (!taken) outcome_ = std::move(taken).error();
}

// Rows before `end` have told about the tokens up to `end`.
Result<> ActiveRequest::report_prompt(std::size_t end, OutputReader& output) {
  const std::size_t known = std::min(end + 1, prompt_size_);
  if (prompt_reported_ >= known) return {};
  PromptTokensEvent event{.first = prompt_reported_, .entries = {}};
  for (std::size_t position = prompt_reported_; position < known; ++position) {
    const TokenId token = tokens_.ids[position];
    PromptTokensEvent::Entry& entry = event.entries.emplace_back(
        PromptTokensEvent::Entry{token, bytes_of(*surroundings_.model.tokenizer, token), {}});
    if (!is_reported(position)) continue;
    const auto alternatives = static_cast<std::size_t>(*request_.prompt_logprobs);
    CARAT_TRY(entry.logprobs, logprobs_of(output.next_logits(), token, alternatives));
    add_bytes(*entry.logprobs);
  }
  prompt_reported_ = known;
  receiver_->on_event(std::move(event));
  return {};
}

Result<> ActiveRequest::sample(OutputReader& output) {
  if (!first_token_at_) first_token_at_ = surroundings_.clock.now();
  if (most_tokens() == 0) {
    outcome_ = FinishReason::kLength;
    context_full_ = room() == 0;
    return {};
  }
  CARAT_TRY(Choice choice, chooser_.choose(output, tokens_.ids.size(), allowed_));
  CARAT_TRY_VOID(take_choice(std::move(choice)));
  return matcher_ ? take_forced() : Result<>();
}

// The next token of the answer, or its end. Never one that the constraint does not allow.
Result<> ActiveRequest::take_choice(Choice choice) {
  if (matcher_) CARAT_TRY_VOID(matcher_->accept(choice.token));
  ++usage_.generated_tokens;
  if (surroundings_.model.tokenizer->is_end_of_generation(choice.token)) {
    outcome_ = FinishReason::kStop;
  } else {
    add_token(std::move(choice));
  }
  return {};
}

// What the constraint allows next: before any row asks for it.
Result<> ActiveRequest::prepare_choice() {
  if (!matcher_) return {};
  CARAT_TRY(const std::span<const std::uint32_t> words, matcher_->allowed());
  allowed_ = TokenSet(words);
  return {};
}

// Tokens that are the only ones allowed need no row of their own: they go into the next batch together. Where
// log-probabilities are asked for, each needs its logits.
Result<> ActiveRequest::take_forced() {
  forced_ = 0;
  while (!outcome_) {
    CARAT_TRY_VOID(prepare_choice());
    if (request_.sampling.logprobs || forced_ == surroundings_.forced_tokens) break;
    CARAT_TRY(const std::optional<TokenId> only, matcher_->forced());
    if (!only || !surroundings_.mask.allows(*only)) break;  // the sampler says what is wrong
    chooser_.add(*only);
    CARAT_TRY_VOID(take_choice({*only, {}}));
    ++forced_;
  }
  return {};
}

void ActiveRequest::add_token(Choice choice) {
  if (choice.logprobs) add_bytes(*choice.logprobs);
  std::string shown = text_.add(choice.token);
  receiver_->on_event(TokenEvent{choice.token, bytes_of(*surroundings_.model.tokenizer, choice.token),
                                 std::move(shown), std::move(choice.logprobs)});
  if (text_.stopped()) {
    outcome_ = FinishReason::kStop;
  } else if (usage_.generated_tokens == most_tokens()) {
    outcome_ = FinishReason::kLength;
    context_full_ = most_tokens() == room();
  }
  tokens_.ids.push_back(choice.token);
}

void ActiveRequest::add_bytes(Logprobs& logprobs) const {
  const tokenizer::Tokenizer& tokenizer = *surroundings_.model.tokenizer;
  logprobs.chosen.bytes = bytes_of(tokenizer, logprobs.chosen.token);
  for (TokenLogprob& entry : logprobs.top) entry.bytes = bytes_of(tokenizer, entry.token);
}

void ActiveRequest::end() {
  if (auto* error = std::get_if<Error>(&*outcome_)) {
    receiver_->on_end(std::unexpected(std::move(*error)));
    return;
  }
  if (std::string trailing = text_.finish(); !trailing.empty()) {
    receiver_->on_event(TrailingText{std::move(trailing)});
  }
  const auto now = surroundings_.clock.now();
  const auto admitted = admitted_at_.value_or(now);
  if (!admitted_) usage_.queue_seconds = seconds(now - submitted_);
  usage_.prefill_seconds = seconds(first_token_at_.value_or(now) - admitted);
  if (first_token_at_) usage_.decode_seconds = seconds(now - *first_token_at_);
  GenerationResult result;
  result.text = text_.shown();
  result.ids = text_.ids();
  result.finish = std::get<FinishReason>(*outcome_);
  result.context_full = context_full_;
  result.stop_string = text_.stop_string();
  result.seed = seed_;
  result.usage = usage_;
  receiver_->on_end(std::move(result));
}

}  // namespace carat::engine
