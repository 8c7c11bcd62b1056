#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/responder.h"

namespace carat::server {

// Everything that a request can be refused for. Each has one row in the catalogue, whose status, type and
// code clients may rely on.
enum class ApiErrorCode {
  kInvalidJson,
  kInvalidType,
  kInvalidValue,
  kMissingParameter,
  kUnsupportedParameter,
  kUnsupportedContent,
  kImageUrlNotAllowed,
  kInvalidImage,
  kContextLengthExceeded,
  kModelDoesNotFit,
  kBadRequest,
  kMissingApiKey,
  kInvalidApiKey,
  kHostNotAllowed,
  kOriginNotAllowed,
  kForbidden,
  kModelNotFound,
  kNotFound,
  kUnsupportedFeature,
  kMethodNotAllowed,
  kRequestTimeout,
  kRequestTooLarge,
  kUnsupportedMediaType,
  kTooManyRequests,
  kQuotaExceeded,
  kInternal,
  kNotStored,
  kOverloaded,
  kOutOfMemory,
  kModelLoading,
  kShuttingDown,
};

struct ApiErrorInfo {
  ApiErrorCode id;
  unsigned status;
  std::string_view type;  // in OpenAI's sense
  std::string_view code;
  std::string_view message;    // where there is nothing more special to say
  unsigned retry_seconds = 0;  // of 429 and 503: when to try again
};
const ApiErrorInfo& info(ApiErrorCode code);

// Both numbers of a prompt that is too long.
struct ContextNumbers {
  std::size_t prompt_tokens = 0;
  std::size_t context_length = 0;
};

// Why a request is refused. The message is for the client: it has names of fields, limits and counts in it,
// and never what somebody wrote, a path or an address.
struct ApiError {
  ApiErrorCode code = ApiErrorCode::kInternal;
  std::string message = {};  // empty: the catalogue's
  std::string param = {};    // the field that is wrong, "messages[2].content"; empty: none
  std::optional<ContextNumbers> context = {};
  std::optional<std::chrono::milliseconds> retry_after = {};  // instead of the catalogue's time

  std::string_view text() const { return message.empty() ? info(code).message : std::string_view(message); }
};

template <class T = void>
using ApiResult = std::expected<T, ApiError>;

ApiError context_exceeded(const ContextNumbers& numbers);

// The entry for an error of the engine's. Its message goes to the client only where it speaks of the
// request's fields (kUsage); all others may hold a path.
ApiError from_engine(const Error& error);

// The entry for a store that did not take an answer.
ApiError not_stored(const Error& error);

// The entry for what the transport refuses, by status; `message` is a fixed sentence of the transport's.
ApiError from_transport(unsigned status, std::string_view message, std::string_view path);

// How the clients of an API read errors.
enum class ErrorShape : std::uint8_t {
  kOpenAi,     // {"error": {"message", "type", "param", "code"}}
  kOllama,     // {"error": "message"}
  kAnthropic,  // {"type": "error", "error": {"type", "message"}}
};

// Of the API that a path belongs to; whatever belongs to none has OpenAI's.
ErrorShape shape_of(std::string_view path);

boost::json::object error_object(const ApiError& error, ErrorShape shape);

// Status, headers (Retry-After and its kin, WWW-Authenticate) and that object as the body.
http::Response error_response(const ApiError& error, ErrorShape shape);

}  // namespace carat::server
