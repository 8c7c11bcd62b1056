#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "prompt/message.h"
#include "prompt/piece.h"

namespace carat::chat {

// How a conversation is written down for a model.
enum class PromptStyle {
  kGemma,     // <start_of_turn> and <end_of_turn>, for instruction-tuned checkpoints
  kDialogue,  // a plain transcript, for base checkpoints, which were never taught the turn markers
};

std::string_view name_of(PromptStyle style);                          // "gemma", "dialogue"
std::optional<PromptStyle> find_prompt_style(std::string_view name);  // by that name

// The prompt for the next answer. Messages: an optional system message, then user and assistant in turn, the
// user last; anything else is kUsage. Text of messages never becomes control tokens or a role marker.
//
// The prompt of a conversation begins with the prompt of its beginning followed by the answer to that, so
// that what a KV cache holds stays of use; exactly so if the answer's message has the ids that were
// generated.
Result<std::vector<prompt::Piece>> render(PromptStyle style, std::span<const prompt::Message> messages);

// The same for a conversation that ends with the beginning of the answer, which the model is to go on with.
// Its text is taken as it is, blanks at its end too.
Result<std::vector<prompt::Piece>> render_begun_answer(PromptStyle style,
                                                       std::span<const prompt::Message> messages);

// Where each message's pieces end in `pieces`, which render() made of `messages`: those of message i of them,
// without a system message, are [i == 0 ? 0 : ends[i - 1], ends[i]). A system text is part of the first.
std::vector<std::size_t> message_ends(std::span<const prompt::Piece> pieces,
                                      std::span<const prompt::Message> messages);

// The temperature where nobody chose one. Instruction-tuned models are made for 1; a base model of a few
// hundred million parameters strays from the question at 1 and keeps to it at 0.3.
double default_temperature(PromptStyle style);

// Texts that end an answer, besides the end-of-generation tokens.
std::vector<std::string> stop_strings(PromptStyle style);

}  // namespace carat::chat
