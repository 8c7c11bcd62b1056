#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/generation.h"
#include "prompt/generation_request.h"
#include "prompt/piece.h"

namespace carat::tokenizer {
class Tokenizer;
}

namespace carat::engine {

// What an engine can do. A request for something else is refused, never answered without it.
struct Capabilities {
  std::string model;                // its name, for people
  std::size_t context_length = 0;   // tokens of prompt and answer together
  std::size_t vocabulary_size = 0;  // 0: not known
  bool token_prompts = false;       // prompts of token ids, and results that hold ids
  bool images = false;
  std::string images_remark = {};  // why not, and what would help; empty: nothing is known
  bool logprobs = false;
  bool prompt_logprobs = false;
  bool seeded = false;         // a seed gives the same text again
  bool cached_tokens = false;  // Usage::cached_tokens is counted
  bool adapters = false;
  bool grammar = false;  // answers under a GenerationRequest::constraint
};

// kUsage, naming the field, for sampling parameters out of range and for what the engine cannot do. Every
// engine's submit() begins with it.
Result<> check_request(const prompt::GenerationRequest& request, const Capabilities& capabilities);

// What the message of every refusal of a constraint begins with.
inline constexpr std::string_view kConstraintError = "the output constraint: ";

// What an engine is doing, for health and metrics. Counters only grow.
struct EngineStatus {
  std::size_t waiting = 0;  // in the queue
  std::size_t running = 0;  // admitted
  std::size_t kept = 0;     // finished conversations whose KV is kept until the memory is needed
  std::size_t kv_bytes_used = 0;
  std::size_t kv_bytes_total = 0;  // 0: not known

  std::uint64_t steps = 0;                      // completed
  std::chrono::nanoseconds last_step = {};      // when the latest was, on the engine's clock; 0: none yet
  std::chrono::nanoseconds working_since = {};  // when it last went from idle to work; 0: idle
  std::uint64_t finished = 0;                   // requests that ended with a result
  std::uint64_t failed = 0;                     // requests that ended with an error
  std::uint64_t preemptions = 0;                // requests put back into the queue for want of memory
  std::uint64_t prompt_tokens = 0;              // of the admitted requests among these
  std::uint64_t cached_tokens = 0;              // of those, found in the KV cache
  std::uint64_t generated_tokens = 0;           // of the same
};

// Takes what happens to one request. Called on a thread of the engine's, whose steps wait for it meanwhile:
// it must neither block nor throw. It may ask for status() and submit() more.
class Receiver {
 public:
  virtual ~Receiver() = default;

  virtual void on_event(Event event) = 0;

  // The end, exactly once for each request that submit() took, and nothing comes after it. Errors: kFailed
  // when the step failed, the model computed no number, or the answer could not go on under its constraint;
  // kUsage, before any event, for a constraint that did not compile; kDoesNotFit when the memory for it was
  // refused, kNetwork from an upstream server, kInterrupted when the engine is going away.
  virtual void on_end(Result<GenerationResult> result) = 0;
};

// A model that answers prompts, several at a time. All members may be called from any thread.
class Engine {
 public:
  virtual ~Engine() = default;

  // Puts a request into the queue. It is over when its receiver's on_end is called. A requested stop ends it
  // at any stage, without an error: the result has finish == kInterrupted and holds what there is. Errors,
  // for which the receiver is not called: those of check_request; kUsage for a prompt that cannot be encoded,
  // and, beginning with kConstraintError, for an output constraint that is not understood;
  // kContextExceeded for one that leaves no room for an answer (nothing is ever cut); kOverloaded when the
  // queue is full.
  virtual Result<> submit(prompt::GenerationRequest request, std::shared_ptr<Receiver> receiver,
                          const std::stop_token& stop) = 0;

  // How many tokens a request's prompt has, BOS and soft tokens of images included. Errors as above; a prompt
  // may be longer than the context here.
  virtual Result<std::size_t> count_tokens(const prompt::GenerationRequest& request) = 0;

  virtual Capabilities capabilities() const = 0;
  virtual EngineStatus status() const = 0;

  // Null where the engine has none in this process.
  virtual std::shared_ptr<const tokenizer::Tokenizer> tokenizer() const = 0;
};

using EventSink = std::function<void(const Event&)>;

// Submits a request and waits for its end. Events arrive on the calling thread. Errors are those of submit()
// and on_end().
Result<GenerationResult> generate(Engine& engine, prompt::GenerationRequest request, const EventSink& sink,
                                  const std::stop_token& stop);

}  // namespace carat::engine
