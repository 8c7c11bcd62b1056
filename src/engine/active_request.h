#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/token_set.h"
#include "engine/answer_text.h"
#include "engine/constraint_queue.h"
#include "engine/engine.h"
#include "engine/image_reader.h"
#include "engine/kept_sequences.h"
#include "engine/kv_cache.h"
#include "engine/load_model.h"
#include "engine/prompt_tokens.h"
#include "engine/token_chooser.h"
#include "grammar/token_matcher.h"
#include "model/batch.h"
#include "prompt/generation_request.h"

namespace carat::engine {

// What all requests of an engine have in common. Outlives them.
struct RequestSurroundings {
  const LoadedModel& model;
  const TokenMask& mask;
  const Clock& clock;
  std::size_t context_length = 0;
  std::size_t forced_tokens = 0;  // most that are taken without the model between two steps
};

// One request from its submission to its end: what it was asked, how far it has come, and what its receiver
// is told. It begins without keys and values, gets a sequence from start(), and then goes on in steps:
//
//   rows [kv().length(), end) of tokens() are run; take(end, output) hears what they yielded.
//
// It may lose its sequence on the way and get another one: what was told is not told again.
class ActiveRequest {
 public:
  // `adapters`: what request.adapters stands for.
  ActiveRequest(prompt::GenerationRequest request, PromptTokens prompt,
                std::vector<model::WeightedAdapter> adapters, std::shared_ptr<Receiver> receiver,
                std::stop_token stop, const RequestSurroundings& surroundings);
  ~ActiveRequest();
  ActiveRequest(const ActiveRequest&) = delete;
  ActiveRequest& operator=(const ActiveRequest&) = delete;

  const CacheScope& scope() const { return scope_; }
  const PromptTokens& tokens() const { return tokens_; }  // the prompt, and the answer so far
  std::size_t prompt_size() const { return prompt_size_; }
  const std::stop_token& stop_token() const { return stop_; }
  bool may_reuse() const { return request_.reuse_cache && !request_.prompt_logprobs; }
  bool wants_prompt_logprobs() const { return prompt_reported_ < prompt_size_; }
  std::size_t candidate_count() const { return chooser_.candidate_count(); }

  // A request with a constraint waits for it before it is admitted; compiles() hears of its end, as the
  // outcome where it was refused.
  void wait_for(std::shared_ptr<CompilingConstraint> constraint) { compiling_ = std::move(constraint); }
  bool compiles();

  // Sets the outcome of a request whose stop was requested or whose deadline passed; true if it has one.
  bool check_over();

  bool started() const { return kv_ != nullptr; }
  KvSequence& kv() { return *kv_; }
  const KvSequence& kv() const { return *kv_; }

  // Begins, or goes on after release_kv(), with a sequence that holds a beginning of tokens(), empty maybe.
  void start(std::unique_ptr<KvSequence> kv);
  std::unique_ptr<KvSequence> release_kv() { return std::move(kv_); }

  std::size_t pending() const { return tokens_.ids.size() - kv_->length(); }  // tokens to run, at least 1
  // Whether one row gives the next token, or one and those of a constraint's forced tokens: what is due in
  // every step.
  bool decodes() const { return pending() <= 1 + forced_ && !needs_image(); }
  bool needs_image() const { return next_view_ < tokens_.spans.size(); }
  // Looks at the next image. Errors are those of ImageReader::read.
  Result<> look(ImageReader& images, const std::stop_token& stop);

  // Adds rows up to position `end` as sequence number `sequence` of a batch.
  void append_rows(std::size_t end, std::size_t sequence, std::vector<model::Row>& rows) const;
  // They were run: tells the receiver, and sets the outcome where the answer is complete.
  void take(std::size_t end, OutputReader& output);

  // How it ended. Nothing but end() may follow.
  using Outcome = std::variant<FinishReason, Error>;
  void set_outcome(Outcome outcome) { outcome_ = std::move(outcome); }
  const std::optional<Outcome>& outcome() const { return outcome_; }
  bool failed() const { return outcome_ && std::holds_alternative<Error>(*outcome_); }
  bool admitted() const { return admitted_; }
  const Usage& usage() const { return usage_; }

  // Tells the receiver that the request is over.
  void end();

 private:
  void skip_known_images();
  std::size_t most_tokens() const;
  std::size_t room() const { return surroundings_.context_length - prompt_size_; }
  model::RowOutput output_of(std::size_t position) const;
  bool is_reported(std::size_t position) const;
  Result<> report_prompt(std::size_t end, OutputReader& output);
  Result<> sample(OutputReader& output);
  Result<> take_choice(Choice choice);
  Result<> prepare_choice();
  Result<> take_forced();
  void add_token(Choice choice);
  void add_bytes(Logprobs& logprobs) const;

  prompt::GenerationRequest request_;  // without its prompt
  CacheScope scope_;
  std::shared_ptr<Receiver> receiver_;
  std::stop_token stop_;
  const RequestSurroundings& surroundings_;

  PromptTokens tokens_;
  std::size_t prompt_size_;
  std::unique_ptr<KvSequence> kv_;
  std::uint64_t seed_;
  TokenChooser chooser_;
  AnswerText text_;
  std::shared_ptr<CompilingConstraint> compiling_;
  std::optional<grammar::TokenMatcher> matcher_;  // of an answer under a constraint
  TokenSet allowed_;                              // by the matcher, for the next token
  std::size_t forced_ = 0;                        // tokens added since the latest row was run
  std::optional<Outcome> outcome_;
  bool context_full_ = false;

  bool admitted_ = false;
  std::size_t progress_from_ = 0;  // where reading the prompt began
  std::size_t prompt_reported_ =
      0;                         // tokens of the prompt whose log-probabilities were told, or are not wanted
  std::size_t next_view_ = 0;    // index into tokens_.spans
  std::size_t views_begin_ = 0;  // the first that had to be looked at

  Usage usage_;
  std::chrono::nanoseconds submitted_;
  std::optional<std::chrono::nanoseconds> admitted_at_, first_token_at_;
};

}  // namespace carat::engine
