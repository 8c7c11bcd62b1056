#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "server/answer_format.h"
#include "server/generation_options.h"

namespace carat::server::openai {

// What echo says of one prompt.
struct EchoedPrompt {
  std::string text;
  bool gains_bos = false;  // a BOS that is not in the text is put before it
};

// Writes completions: choice i belongs to prompt i / options.choices. `echo`: one entry a prompt where the
// prompts come before the answers, else empty.
std::unique_ptr<AnswerFormat> make_completion_format(AnswerHead head, const GenerationOptions& options,
                                                     std::size_t prompts,
                                                     const std::vector<EchoedPrompt>& echo);

}  // namespace carat::server::openai
