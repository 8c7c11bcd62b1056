#include "session/local_turn_runner.h"

#include <utility>

#include "prompt/generation_request.h"
#include "session/history.h"

namespace carat::session {

Result<engine::GenerationResult> LocalTurnRunner::answer(std::span<const prompt::Message> messages,
                                                         const prompt::SamplingParams& sampling,
                                                         const engine::EventSink& sink,
                                                         const std::stop_token& stop) {
  prompt::GenerationRequest request;
  CARAT_TRY(request.prompt, chat::render(style_, messages));
  request.sampling = sampling;
  request.adapters = model_.default_adapters;
  for (std::string& text : chat::stop_strings(style_)) request.sampling.stop.push_back(std::move(text));
  return engine::generate(engine_, std::move(request), sink, stop);
}

bool LocalTurnRunner::ids_spell_text(const prompt::Message& message) const {
  return ids_spell(*model_.tokenizer, message.generated_ids, message.text);
}

}  // namespace carat::session
