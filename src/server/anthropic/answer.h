#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/answer_format.h"

namespace carat::server::anthropic {

// Writes messages: the named events of a stream, or one object. `stop_sequences`: those that the request
// asked for; any other text that ended the answer is the model's own end of a turn.
std::unique_ptr<AnswerFormat> make_format(AnswerHead head, bool stream,
                                          std::vector<std::string> stop_sequences = {});

}  // namespace carat::server::anthropic
