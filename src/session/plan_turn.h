#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "chat/context_plan.h"
#include "engine/engine.h"
#include "prompt/generation_request.h"

namespace carat::session {

// The plan for a rendered request: all of it, or nothing. kContextExceeded, with both numbers, when it leaves
// no room for an answer. Tokens are counted where the engine has its tokenizer here; others find out when
// they are asked.
//   request   its prompt was rendered from its messages
//   sources   of each message the id under which it is kept, or an empty text
// May wait for the tokenizer.
Result<chat::ContextPlan> plan_turn(engine::Engine& engine, const prompt::GenerationRequest& request,
                                    std::span<const std::string> sources);

}  // namespace carat::session
