#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/token_id.h"
#include "server/generation_options.h"

namespace carat::server::openai {

inline constexpr std::size_t kMostPrompts = 512;        // of one request
inline constexpr std::size_t kMostCompletions = 512;    // prompts times n
inline constexpr std::uint32_t kDefaultMaxTokens = 16;  // as OpenAI has it

// Text, whose control tokens count as such (the prompt is the caller's to render), or ids as they are.
using CompletionPrompt = std::variant<std::string, std::vector<TokenId>>;

struct CompletionRequest {
  GenerationOptions options;  // options.choices: of each prompt
  std::vector<CompletionPrompt> prompts;
  bool echo = false;
};

// The request of a JSON body. `defaults`: what it leaves out. Errors name the field.
ApiResult<CompletionRequest> parse_completion_request(const boost::json::object& body,
                                                      const prompt::SamplingParams& defaults);

// An array of token ids; errors go to `read`, by `name`.
std::vector<TokenId> read_token_ids(FieldReader& read, std::string_view name, const boost::json::array& list);

}  // namespace carat::server::openai
