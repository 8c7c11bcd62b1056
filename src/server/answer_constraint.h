#pragma once

#include <boost/json/value.hpp>
#include <string_view>

#include "server/generation_options.h"
#include "server/json_fields.h"

namespace carat::server {

// What an OpenAI request says that its answer must be: `response_format`, or one of the fields that
// llama-server (`grammar`, `json_schema`) and vLLM (`guided_*`, `structured_outputs`) have for it. More than
// one is refused. What is within a schema or a grammar is left to the engine.
void read_answer_constraint(FieldReader& read, GenerationOptions& options);

// Ollama's `format`: "json", "" or a schema.
void read_format(FieldReader& read, GenerationOptions& options);

}  // namespace carat::server
