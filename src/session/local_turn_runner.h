#pragma once

#include "chat/prompt_style.h"
#include "engine/engine.h"
#include "engine/load_model.h"
#include "session/turn_runner.h"

namespace carat::session {

// Turns of a model in this process, for its one user, with the adapters that were loaded with it.
class LocalTurnRunner final : public TurnRunner {
 public:
  // The model and the engine must outlive this object; the engine is of that model.
  LocalTurnRunner(const engine::LoadedModel& model, engine::Engine& engine, chat::PromptStyle style)
      : model_(model), engine_(engine), style_(style) {}

  Result<engine::GenerationResult> answer(std::span<const prompt::Message> messages,
                                          const prompt::SamplingParams& sampling,
                                          const engine::EventSink& sink,
                                          const std::stop_token& stop) override;
  bool ids_spell_text(const prompt::Message& message) const override;

 private:
  const engine::LoadedModel& model_;
  engine::Engine& engine_;
  chat::PromptStyle style_;
};

}  // namespace carat::session
