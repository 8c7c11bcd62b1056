// Any bytes as what a client sends, through the parser that the server uses: in one piece and in pieces whose
// size the first byte says. Both must come to the same requests, and what is accepted keeps the rules that
// the server relies on.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "http/request_parser.h"
#include "http/request_target.h"

using namespace carat;

namespace {

constexpr std::size_t kMostBody = 1000;

struct Outcome {
  std::vector<std::string> requests;
  unsigned refused = 0;
};

void check_request(const http::RequestParser& parser, const std::string& body) {
  const http::RequestHead& head = parser.head();
  CARAT_CHECK(body.size() <= kMostBody);
  CARAT_CHECK(!head.content_length || *head.content_length == body.size());
  for (const http::Header& header : head.headers) {
    CARAT_CHECK(header.value.find_first_of("\r\n") == std::string::npos);
  }
  const auto target = http::decode_target(head.target);
  if (!target) return;
  const std::string path = target->path + "/";
  CARAT_CHECK(is_valid_utf8(path));
  CARAT_CHECK(path.find("/../") == std::string::npos && path.find("/./") == std::string::npos);
  CARAT_CHECK(path.find('\0') == std::string::npos && path.find('\n') == std::string::npos);
}

// Bytes come `step` at a time.
Outcome read_all(std::string_view text, std::size_t step, const http::ServerLimits& limits) {
  Outcome outcome;
  std::string input;
  while (true) {
    http::RequestParser parser(limits);
    bool has_head = false;
    while (!has_head || !parser.is_done()) {
      auto used = has_head ? parser.read_body(input) : parser.read_head(input);
      if (used && !has_head && *used > 0) {
        has_head = true;
        if (const auto fits = parser.limit_body(kMostBody); !fits) used = std::unexpected(fits.error());
      } else if (used && (!has_head || !parser.is_done())) {
        if (text.empty()) return outcome;
        input.erase(0, *used);
        input += text.substr(0, step);
        text.remove_prefix(std::min(step, text.size()));
        continue;
      }
      if (!used) {
        outcome.refused = used.error().status;
        return outcome;
      }
      input.erase(0, *used);
    }
    check_request(parser, parser.body());
    outcome.requests.push_back(parser.head().method + " " + parser.head().target + " " + parser.body());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  http::ServerLimits limits;
  limits.most_target_bytes = 100;
  limits.most_header_bytes = 1000;
  limits.most_headers = 10;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = read_all(text, text.size() + 1, limits);
  const Outcome pieces = read_all(text, std::size_t{data[0]} % 64 + 1, limits);
  // In pieces, a chunk size of very many zeros may be refused before its end is there.
  CARAT_CHECK(pieces.requests.size() <= whole.requests.size());
  CARAT_CHECK(std::equal(pieces.requests.begin(), pieces.requests.end(), whole.requests.begin()));
  CARAT_CHECK(pieces.refused != 0 || (whole.refused == 0 && whole.requests.size() == pieces.requests.size()));
  return 0;
}
