#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/answer_format.h"

namespace carat::server::ollama {

// Where the text of an answer goes.
enum class AnswerKind : std::uint8_t {
  kChat,      // {"message": {"role", "content"}}
  kGenerate,  // {"response"}
};

// Writes answers of /api/chat and /api/generate: a line for each piece of text and one with the counters, or
// all of it in one object.
std::unique_ptr<AnswerFormat> make_format(AnswerHead head, AnswerKind kind, bool stream);

// The answer to a request without a prompt, by which clients load a model; `reason`: "load".
boost::json::object empty_answer(const AnswerHead& head, AnswerKind kind, std::string_view reason);

// Seconds since 1970 as "2026-01-31T23:59:59Z".
std::string utc_time(std::int64_t seconds);

}  // namespace carat::server::ollama
