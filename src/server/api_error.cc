#include "server/api_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <utility>

namespace carat::server {
namespace {

using enum ApiErrorCode;

constexpr std::string_view kRequestError = "invalid_request_error";

// clang-format off
constexpr auto kCatalogue = std::to_array<ApiErrorInfo>({
    {kInvalidJson, 400, kRequestError, "invalid_json", "The request's body is not valid JSON."},
    {kInvalidType, 400, kRequestError, "invalid_type", "A field has the wrong type."},
    {kInvalidValue, 400, kRequestError, "invalid_value", "A field has a value that is not allowed."},
    {kMissingParameter, 400, kRequestError, "missing_required_parameter", "A required field is missing."},
    {kUnsupportedParameter, 400, kRequestError, "unsupported_parameter", "This server cannot do what a field asks for."},
    {kUnsupportedContent, 400, kRequestError, "unsupported_content", "This server cannot read this kind of content."},
    {kImageUrlNotAllowed, 400, kRequestError, "image_url_not_allowed", "Images must be sent in the request, as data: URLs: this server fetches no addresses."},
    {kInvalidImage, 400, kRequestError, "invalid_image", "An image could not be decoded."},
    {kContextLengthExceeded, 400, kRequestError, "context_length_exceeded", "The prompt is longer than the model's maximum context length."},
    {kModelDoesNotFit, 400, kRequestError, "model_does_not_fit", "The model needs more memory than this server may use."},
    {kBadRequest, 400, kRequestError, "bad_request", "The request cannot be understood."},
    {kMissingApiKey, 401, "authentication_error", "missing_api_key", "This server needs an API key, in the header Authorization: Bearer KEY or x-api-key."},
    {kInvalidApiKey, 401, "authentication_error", "invalid_api_key", "The API key is not one of this server's."},
    {kHostNotAllowed, 403, "permission_error", "host_not_allowed", "This server does not answer to that host name; --allow-host lets it."},
    {kOriginNotAllowed, 403, "permission_error", "origin_not_allowed", "Pages of that origin may not use this server; --allow-origin lets them."},
    {kForbidden, 403, "permission_error", "forbidden", "This is not allowed."},
    {kModelNotFound, 404, kRequestError, "model_not_found", "The model does not exist here; GET /v1/models lists those that do."},
    {kNotFound, 404, kRequestError, "not_found", "There is nothing at this address."},
    {kUnsupportedFeature, 404, kRequestError, "unsupported_feature", "This server does not have this feature."},
    {kMethodNotAllowed, 405, kRequestError, "method_not_allowed", "This address does not take this method; the header Allow names those that it takes."},
    {kRequestTimeout, 408, kRequestError, "request_timeout", "The request took too long to arrive."},
    {kRequestTooLarge, 413, kRequestError, "request_too_large", "The request is larger than this server takes."},
    {kUnsupportedMediaType, 415, kRequestError, "unsupported_media_type", "The request's body is encoded in a way that this server does not read."},
    {kTooManyRequests, 429, "rate_limit_error", "rate_limit_exceeded", "Too many requests; try again later.", 1},
    {kQuotaExceeded, 429, "insufficient_quota", "insufficient_quota", "This key's tokens are used up; try again later.", 3600},
    {kInternal, 500, "server_error", "internal_error", "Something went wrong here; the server's log has it under the request's id."},
    {kNotStored, 500, "server_error", "not_stored", "The answer could not be stored."},
    {kOverloaded, 503, "server_error", "overloaded", "Too many requests are waiting; try again later.", 1},
    {kOutOfMemory, 503, "server_error", "out_of_memory", "There is no memory for this request now; try again later.", 5},
    {kModelLoading, 503, "server_error", "model_loading", "The model is being loaded; try again soon.", 2},
    {kShuttingDown, 503, "server_error", "shutting_down", "The server is stopping.", 5},
});
// clang-format on

static_assert([] {
  for (std::size_t i = 0; i < kCatalogue.size(); ++i) {
    if (static_cast<std::size_t>(kCatalogue[i].id) != i) return false;
  }
  return true;
}());

// Fields as prompt::validate and the engines name them, and as requests do.
struct EngineField {
  std::string_view begins;  // the message
  std::string_view field;
};
constexpr auto kEngineFields = std::to_array<EngineField>({
    {"temperature", "temperature"},
    {"top_k", "top_k"},
    {"top_p", "top_p"},
    {"min_p", "min_p"},
    {"repetition_penalty", "repetition_penalty"},
    {"presence_penalty", "presence_penalty"},
    {"frequency_penalty", "frequency_penalty"},
    {"logit_bias", "logit_bias"},
    {"logprobs", "logprobs"},
    {"prompt_logprobs", "logprobs"},
    {"seed", "seed"},
    {"stop", "stop"},
    {"a stop string", "stop"},
    {"the prompt holds", "prompt"},
    {"a prompt", "prompt"},
});

std::string_view field_of(std::string_view message) {
  for (const auto& [name, field] : kEngineFields) {
    if (message.starts_with(name) && message.substr(name.size()).starts_with(' ')) return field;
  }
  return {};
}

// Parts of OpenAI's API that are not here: a code of their own, so that clients can tell them from a mistake.
constexpr auto kAbsentFeatures = std::to_array<std::string_view>(
    {"/embeddings",  "/audio",      "/images",    "/moderations",    "/files",         "/batches",
     "/fine_tuning", "/assistants", "/threads",   "/uploads",        "/vector_stores", "/realtime",
     "/rerank",      "/infill",     "/api/embed", "/api/embeddings", "/api/create",    "/api/push",
     "/api/blobs",   "/api/pull",   "/api/copy",  "/api/delete"});

bool is_absent_feature(std::string_view path) {
  if (path.starts_with("/v1/")) path.remove_prefix(3);
  return std::ranges::any_of(kAbsentFeatures, [path](std::string_view feature) {
    return path.starts_with(feature) && (path.size() == feature.size() || path[feature.size()] == '/');
  });
}

}  // namespace

const ApiErrorInfo& info(ApiErrorCode code) { return kCatalogue[static_cast<std::size_t>(code)]; }

ApiError context_exceeded(const ContextNumbers& numbers) {
  return {
      .code = kContextLengthExceeded,
      .message = fmt::format("This model's maximum context length is {} tokens. However, your prompt has {} "
                             "tokens, which leaves no room for an answer. Please shorten it.",
                             numbers.context_length, numbers.prompt_tokens),
      .param = {},
      .context = numbers};
}

ApiError from_engine(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kUsage:
      return {.code = kInvalidValue, .message = error.message, .param = std::string(field_of(error.message))};
    case ErrorKind::kContextExceeded: return {.code = kContextLengthExceeded};
    case ErrorKind::kOverloaded: return {.code = kOverloaded};
    case ErrorKind::kDoesNotFit: return {.code = kOutOfMemory};
    case ErrorKind::kInterrupted: return {.code = kShuttingDown};
    default: return {.code = kInternal};
  }
}

ApiError not_stored(const Error& error) {
  if (error.kind == ErrorKind::kDiskFull)
    return {.code = kNotStored, .message = "The answer could not be stored: the disk is full."};
  if (error.kind == ErrorKind::kQuota)
    return {.code = kNotStored, .message = "The answer could not be stored: it is larger than allowed."};
  return {.code = kNotStored};
}

ApiError from_transport(unsigned status, std::string_view message, std::string_view path) {
  const auto error = [&](ApiErrorCode code) {
    return ApiError{.code = code, .message = std::string(message)};
  };
  switch (status) {
    case 403: return error(kForbidden);
    case 404: return {.code = is_absent_feature(path) ? kUnsupportedFeature : kNotFound};
    case 405: return {.code = kMethodNotAllowed};
    case 408: return error(kRequestTimeout);
    case 413:
    case 414:
    case 431: return error(kRequestTooLarge);
    case 415: return error(kUnsupportedMediaType);
    case 429: return error(kTooManyRequests);
    case 503: return error(kOverloaded);
    default: return status < 500 ? error(kBadRequest) : ApiError{.code = kInternal};
  }
}

namespace {

// Clients do not wait for longer, but ask again and again.
constexpr std::chrono::minutes kLongestRetry(1);

boost::json::object openai_error(const ApiError& error) {
  const ApiErrorInfo& entry = info(error.code);
  boost::json::object body = {
      {"message", error.text()}, {"type", entry.type}, {"param", nullptr}, {"code", entry.code}};
  if (!error.param.empty()) body["param"] = error.param;
  if (error.context) {
    body["n_prompt_tokens"] = error.context->prompt_tokens;
    body["n_ctx"] = error.context->context_length;
  }
  return {{"error", std::move(body)}};
}

// Anthropic's types go by status.
std::string_view anthropic_type(unsigned status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 503: return "overloaded_error";
    default: return status < 500 ? kRequestError : "api_error";
  }
}

}  // namespace

ErrorShape shape_of(std::string_view path) {
  if (path.starts_with("/api/")) return ErrorShape::kOllama;
  if (path.starts_with("/v1/messages")) return ErrorShape::kAnthropic;
  return ErrorShape::kOpenAi;
}

boost::json::object error_object(const ApiError& error, ErrorShape shape) {
  if (shape == ErrorShape::kOllama) return {{"error", error.text()}};
  if (shape == ErrorShape::kAnthropic) {
    return {{"type", "error"},
            {"error", {{"type", anthropic_type(info(error.code).status)}, {"message", error.text()}}}};
  }
  return openai_error(error);
}

http::Response error_response(const ApiError& error, ErrorShape shape) {
  const ApiErrorInfo& entry = info(error.code);
  http::Response response{.status = entry.status, .headers = {{"Content-Type", "application/json"}}};
  if (entry.retry_seconds > 0) {
    const std::chrono::milliseconds wait =
        error.retry_after.value_or(std::chrono::seconds(entry.retry_seconds));
    response.headers.push_back(
        {"Retry-After", fmt::format("{}", std::chrono::ceil<std::chrono::seconds>(wait).count())});
    response.headers.push_back({"retry-after-ms", fmt::format("{}", wait.count())});
    response.headers.push_back({"x-should-retry", wait <= kLongestRetry ? "true" : "false"});
  }
  // Trying again would compute it all again, for the same disk.
  if (error.code == ApiErrorCode::kNotStored) response.headers.push_back({"x-should-retry", "false"});
  if (entry.status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer realm=\"carat\""});
  response.body = boost::json::serialize(error_object(error, shape));
  return response;
}

}  // namespace carat::server
