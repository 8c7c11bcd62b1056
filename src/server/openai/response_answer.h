#pragma once

#include <memory>

#include "server/answer_format.h"
#include "server/openai/response_object.h"

namespace carat::server::openai {

// Writes a response: typed, numbered events when `streams`, else one object.
std::unique_ptr<AnswerFormat> make_response_format(ResponseHead head, bool streams);

}  // namespace carat::server::openai
