#include "server/openai/response_request.h"

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <utility>

#include "server/json_fields.h"
#include "server/openai/response_input.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;

constexpr std::string_view kIdPrefix = "resp_";
constexpr std::size_t kMostMetadata = 16;
constexpr std::size_t kMostMetadataKey = 64;
constexpr std::size_t kMostMetadataValue = 512;

void read_metadata(FieldReader& read, json::object& echo) {
  const json::object* metadata = read.object("metadata");
  echo["metadata"] = metadata == nullptr ? json::object() : *metadata;
  if (metadata == nullptr) return;
  if (metadata->size() > kMostMetadata)
    return read.refuse(ApiErrorCode::kInvalidValue, "metadata",
                       fmt::format("may hold {} pairs at most", kMostMetadata));
  for (const json::key_value_pair& entry : *metadata) {
    const json::string* value = entry.value().if_string();
    if (value == nullptr) return read.expected("metadata", "an object of strings");
    if (entry.key().size() > kMostMetadataKey || value->size() > kMostMetadataValue)
      return read.refuse(ApiErrorCode::kInvalidValue, "metadata",
                         fmt::format("may hold keys of {} and values of {} bytes at most", kMostMetadataKey,
                                     kMostMetadataValue));
  }
}

void read_text_format(FieldReader& read) {
  const json::object* text = read.object("text");
  if (text == nullptr) return;
  FieldReader fields(read, *text, "text");
  const json::object* format = fields.object("format");
  if (format == nullptr) return;
  FieldReader parts(fields, *format, "text.format");
  if (parts.text("type").value_or("text") != "text")
    parts.refuse(ApiErrorCode::kUnsupportedParameter, "type",
                 "must be text: this server cannot force a format");
}

// What would change the answer and is not here.
void refuse_absent(FieldReader& read) {
  for (const char* name : {"conversation", "prompt", "context_management"}) {
    if (read.find(name) != nullptr)
      read.refuse(ApiErrorCode::kUnsupportedParameter, name, "is not supported by this server");
  }
  if (read.flag("background").value_or(false))
    read.refuse(ApiErrorCode::kUnsupportedParameter, "background", "must be false");
  if (read.text("truncation").value_or("disabled") != "disabled")
    read.refuse(ApiErrorCode::kUnsupportedParameter, "truncation", "must be disabled: nothing is ever cut");
  if (read.integer("top_logprobs", 0, std::numeric_limits<std::int32_t>::max()).value_or(0) > 0)
    read.refuse(ApiErrorCode::kUnsupportedParameter, "top_logprobs", "must be 0");
}

void read_options(FieldReader& read, GenerationOptions& options) {
  read_generation_options(read, options);
  if (options.choices != 1)
    read.refuse(ApiErrorCode::kUnsupportedParameter, "n", "must be 1: a response is one answer");
  const auto most = read.integer("max_output_tokens", 1, std::numeric_limits<std::uint32_t>::max());
  if (most) options.sampling.max_tokens = static_cast<std::uint32_t>(*most);
}

void read_previous(FieldReader& read, ResponseRequest& request) {
  const auto previous = read.text("previous_response_id");
  if (!previous) return;
  request.previous = parse_response_id(*previous);
  if (!request.previous)
    read.refuse(ApiErrorCode::kNotFound, "previous_response_id", "is the id of no response here");
}

void echo_request(const ResponseRequest& request, json::object& echo) {
  const prompt::SamplingParams& sampling = request.options.sampling;
  echo["instructions"] = request.instructions.empty() ? json::value() : json::value(request.instructions);
  echo["max_output_tokens"] = sampling.max_tokens ? json::value(*sampling.max_tokens) : json::value();
  echo["previous_response_id"] =
      request.previous ? json::value(response_id(*request.previous)) : json::value();
  echo["temperature"] = sampling.temperature;
  echo["top_p"] = sampling.top_p;
}

}  // namespace

std::string response_id(const Uuid& id) { return std::string(kIdPrefix) + to_compact_string(id); }

std::optional<Uuid> parse_response_id(std::string_view text) {
  if (!text.starts_with(kIdPrefix)) return std::nullopt;
  return parse_uuid(text.substr(kIdPrefix.size()));
}

ApiResult<ResponseRequest> parse_response_request(const json::object& body,
                                                  const ResponseDefaults& defaults) {
  FieldReader read(body);
  ResponseRequest request;
  request.options.sampling = defaults.sampling;
  read.text("model");
  request.instructions = read.text("instructions").value_or("");
  request.store = read.flag("store");
  read_response_input(read, defaults.pan_and_scan, request);
  read_previous(read, request);
  read_options(read, request.options);
  read_metadata(read, request.echo);
  read_text_format(read);
  refuse_absent(read);
  refuse_unsupported_fields(read);
  if (read.error()) return std::unexpected(*read.error());
  echo_request(request, request.echo);
  return request;
}

}  // namespace carat::server::openai
