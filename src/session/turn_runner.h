#pragma once

#include <span>
#include <stop_token>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/generation.h"
#include "prompt/message.h"
#include "prompt/sampling_params.h"

namespace carat::session {

// One turn of a conversation: renders the messages, generates an answer to the last one.
class TurnRunner {
 public:
  virtual ~TurnRunner() = default;

  // `messages` end with a user's. Events arrive on the calling thread; errors are those of
  // engine::generate. The result's ids belong into the answer's Message, so that the next turn finds this
  // one in the KV cache.
  virtual Result<engine::GenerationResult> answer(std::span<const prompt::Message> messages,
                                                  const prompt::SamplingParams& sampling,
                                                  const engine::EventSink& sink,
                                                  const std::stop_token& stop) = 0;

  // Whether the ids of a message that came from outside are in this model's vocabulary and spell its text.
  virtual bool ids_spell_text(const prompt::Message& message) const = 0;
};

}  // namespace carat::session
