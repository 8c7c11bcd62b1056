#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "prompt/sampling_params.h"
#include "server/api_error.h"
#include "server/chat_messages.h"
#include "server/generation_options.h"

namespace carat::server::ollama {

// A request to /api/chat or /api/generate.
struct Request {
  GenerationOptions options;  // streams unless the request says otherwise
  ChatTurns turns;            // empty: only the model is to be loaded
  bool is_raw = false;        // `prompt` goes to the model as it is, without turns
  std::string prompt = {};    // raw only
};

// The requests of JSON bodies. `defaults`: what they leave out. Errors name the field.
ApiResult<Request> parse_chat(const boost::json::object& body, const prompt::SamplingParams& defaults);
ApiResult<Request> parse_generate(const boost::json::object& body, const prompt::SamplingParams& defaults);

}  // namespace carat::server::ollama
