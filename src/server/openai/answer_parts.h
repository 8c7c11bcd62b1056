#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <span>
#include <string>
#include <string_view>

#include "engine/generation.h"
#include "server/answer_format.h"

namespace carat::server::openai {

// "stop" or "length".
std::string_view finish_name(engine::FinishReason reason);

// prompt_tokens, completion_tokens, total_tokens, and how many of the prompt's were in the KV cache.
boost::json::object usage_object(const engine::Usage& usage);

// llama-server's timings: counts, milliseconds and rates of the two phases.
boost::json::object timings_object(const engine::Usage& usage);

// The fields that every answer begins with.
boost::json::object head_object(const AnswerHead& head, std::string_view object);

// A log-probability as JSON can have it: OpenAI writes -9999 for what is impossible.
double finite_logprob(float logprob);

// [{"token", "logprob", "bytes", "top_logprobs"}, ...], as chat completions have it.
boost::json::array logprob_content(std::span<const engine::Logprobs> tokens);

// How many of `seen` tokens belong to an answer: those of a stop string do not.
std::size_t kept_tokens(const engine::GenerationResult& result, std::size_t seen);

}  // namespace carat::server::openai
