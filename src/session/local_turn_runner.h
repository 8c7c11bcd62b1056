#pragma once

#include "chat/prompt_style.h"
#include "engine/generator.h"
#include "engine/load_model.h"
#include "session/turn_runner.h"

namespace carat::session {

// Turns of a model in this process, with the adapters that were loaded with it.
class LocalTurnRunner final : public TurnRunner {
 public:
  // The model and the generator must outlive this object; the generator is of that model.
  LocalTurnRunner(const engine::LoadedModel& model, engine::Generator& generator, chat::PromptStyle style)
      : model_(model), generator_(generator), style_(style) {}

  Result<engine::GenerationResult> answer(std::span<const prompt::Message> messages,
                                          const prompt::SamplingParams& sampling,
                                          const engine::EventSink& sink,
                                          const std::stop_token& stop) override;
  bool ids_spell_text(const prompt::Message& message) const override;

 private:
  const engine::LoadedModel& model_;
  engine::Generator& generator_;
  chat::PromptStyle style_;
};

}  // namespace carat::session
