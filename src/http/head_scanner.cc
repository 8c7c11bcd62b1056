#include "http/head_scanner.h"

namespace carat::http {
namespace {

constexpr std::size_t kMethodAndVersion = 40;  // of a request line, beside its target

constexpr Refusal kMalformed{400, "the request's head is malformed"};
constexpr Refusal kTooLongLine{414, "the request's path is too long"};
constexpr Refusal kTooLarge{431, "the request's headers are too large"};

bool begins_request(char c) { return c >= 'A' && c <= 'Z'; }

}  // namespace

std::expected<std::optional<std::size_t>, Refusal> HeadScanner::scan(std::string_view input) {
  while (!ended_ && position_ < input.size()) {
    if (const auto refusal = look_at(input[position_])) return std::unexpected(*refusal);
    ++position_;
  }
  if (!ended_) return std::nullopt;
  return position_;
}

std::optional<Refusal> HeadScanner::look_at(char c) {
  if (position_ >= limits_.most_header_bytes) return kTooLarge;
  if (position_ == 0 && !begins_request(c)) return kMalformed;  // an empty line, or TLS on a plain port
  if (c == '\0' || (c == '\n') != after_cr_) return kMalformed;
  if (c == '\n') {
    ended_ = in_line_ == 1;
    after_cr_ = false;
    in_line_ = 0;
    // The request line and the empty one are no headers.
    if (++lines_ > limits_.most_headers + 2 || (lines_ > limits_.most_headers + 1 && !ended_))
      return kTooLarge;
    return std::nullopt;
  }
  if (in_line_ == 0 && (c == ' ' || c == '\t')) return kMalformed;
  after_cr_ = c == '\r';
  ++in_line_;
  if (lines_ == 0 && in_line_ > limits_.most_target_bytes + kMethodAndVersion) return kTooLongLine;
  return std::nullopt;
}

}  // namespace carat::http
