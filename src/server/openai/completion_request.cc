#include "server/openai/completion_request.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <limits>
#include <utility>

#include "server/answer_constraint.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;

constexpr std::string_view kPromptForms = "a string, an array of token ids, or an array of these";

void read_prompt_list(FieldReader& read, const json::array& list, std::vector<CompletionPrompt>& prompts) {
  if (list.empty()) return read.refuse(ApiErrorCode::kInvalidValue, "prompt", "must not be empty");
  if (list.front().is_number()) {
    prompts.emplace_back(read_token_ids(read, "prompt", list));
    return;
  }
  if (list.size() > kMostPrompts)
    return read.refuse(ApiErrorCode::kInvalidValue, "prompt",
                       fmt::format("may hold {} prompts at most", kMostPrompts));
  for (const json::value& item : list) {
    if (const json::string* text = item.if_string()) {
      prompts.emplace_back(std::string(*text));
    } else if (const json::array* ids = item.if_array()) {
      prompts.emplace_back(read_token_ids(read, "prompt", *ids));
    } else {
      return read.expected("prompt", kPromptForms);
    }
  }
}

void read_prompts(FieldReader& read, std::vector<CompletionPrompt>& prompts) {
  const json::value* prompt = read.find("prompt");
  if (prompt == nullptr) return read.refuse(ApiErrorCode::kMissingParameter, "prompt", "is missing");
  if (const json::string* text = prompt->if_string()) {
    prompts.emplace_back(std::string(*text));
  } else if (const json::array* list = prompt->if_array()) {
    read_prompt_list(read, *list, prompts);
  } else {
    read.expected("prompt", kPromptForms);
  }
}

}  // namespace

std::vector<TokenId> read_token_ids(FieldReader& read, std::string_view name, const json::array& list) {
  std::vector<TokenId> ids;
  ids.reserve(list.size());
  if (list.empty()) read.refuse(ApiErrorCode::kInvalidValue, name, "must not be empty");
  for (const json::value& item : list) {
    const std::int64_t* id = item.if_int64();
    if (id == nullptr || *id < 0 || *id > std::numeric_limits<TokenId>::max()) {
      read.expected(name, "an array of token ids");
      break;
    }
    ids.push_back(static_cast<TokenId>(*id));
  }
  return ids;
}

ApiResult<CompletionRequest> parse_completion_request(const json::object& body,
                                                      const prompt::SamplingParams& defaults) {
  FieldReader read(body);
  CompletionRequest request;
  request.options.sampling = defaults;
  request.options.sampling.max_tokens = kDefaultMaxTokens;
  read.text("model");
  read_prompts(read, request.prompts);
  read_generation_options(read, request.options);
  read_answer_constraint(read, request.options);
  request.echo = read.flag("echo").value_or(false);
  if (const auto count = read.integer("logprobs", 0, prompt::SamplingParams::kMaxLogprobs))
    request.options.sampling.logprobs = static_cast<std::int32_t>(*count);
  refuse_unsupported_fields(read);
  if (request.prompts.size() * request.options.choices > kMostCompletions)
    read.refuse(ApiErrorCode::kInvalidValue, "n",
                fmt::format("times the prompts may be {} at most", kMostCompletions));
  if (read.error()) return std::unexpected(*read.error());
  return request;
}

}  // namespace carat::server::openai
