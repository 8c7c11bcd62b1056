#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "prompt/constraint.h"
#include "prompt/sampling_params.h"
#include "server/json_fields.h"

namespace carat::server {

inline constexpr std::size_t kMostChoices = 128;  // of one prompt

// What chat and completion requests have in common.
struct GenerationOptions {
  prompt::SamplingParams sampling;
  std::optional<prompt::Constraint> constraint = {};  // of the answer
  std::string constraint_field = {};                  // that asked for it
  std::size_t choices = 1;
  bool stream = false;
  bool include_usage = false;
  bool return_progress = false;
  bool reuse_cache = true;
};

// Takes over what the request says; what it leaves out stays as it is in `options`. Ranges that depend on the
// engine are left to it. Logprobs are not read: each API writes them in its own way.
void read_generation_options(FieldReader& read, GenerationOptions& options);

// Refuses what would change the answer and is not there: fields that are ignored must not matter.
void refuse_unsupported_fields(FieldReader& read);

}  // namespace carat::server
