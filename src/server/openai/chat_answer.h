#pragma once

#include <cstddef>
#include <memory>

#include "server/answer_format.h"
#include "server/generation_options.h"

namespace carat::server::openai {

// Writes chat completions: "chat.completion.chunk" texts when options.stream, else one "chat.completion".
std::unique_ptr<AnswerFormat> make_chat_format(AnswerHead head, const GenerationOptions& options);

}  // namespace carat::server::openai
