#pragma once

#include <memory>

#include "server/answer_format.h"

namespace carat::server::anthropic {

// Writes messages: the named events of a stream, or one object.
std::unique_ptr<AnswerFormat> make_format(AnswerHead head, bool stream);

}  // namespace carat::server::anthropic
