#include "http/response_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/beast/http/status.hpp>
#include <ctime>
#include <iterator>

#include "base/check.h"

namespace carat::http {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

bool breaks_a_line(char c) { return c == '\r' || c == '\n' || c == '\0'; }

void append_header(std::string_view name, std::string_view value, std::string& out) {
  CARAT_CHECK(!name.empty() && std::ranges::none_of(name, breaks_a_line) &&
              std::ranges::none_of(value, breaks_a_line));
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

std::string_view reason(unsigned status) {
  const auto text = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
  return {text.data(), text.size()};
}

}  // namespace

std::string http_date(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts = {};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays.at(parts.tm_wday), parts.tm_mday,
                     kMonths.at(parts.tm_mon), parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                     parts.tm_sec);
}

std::string format_response_head(const ResponseHeadParts& parts) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", parts.status, reason(parts.status));
  for (const Header& header : parts.headers) append_header(header.name, header.value, out);
  for (const Header& header : parts.more_headers) {
    if (!find_header(parts.headers, header.name)) append_header(header.name, header.value, out);
  }
  append_header("Date", http_date(parts.date), out);
  append_header("x-request-id", parts.request_id, out);
  if (parts.framing == BodyFraming::kLength)
    append_header("Content-Length", std::to_string(parts.length), out);
  if (parts.framing == BodyFraming::kChunked) append_header("Transfer-Encoding", "chunked", out);
  append_header("Connection", parts.keep_alive ? "keep-alive" : "close", out);
  out += "\r\n";
  return out;
}

void append_chunk(std::string_view bytes, std::string& out) {
  CARAT_CHECK(!bytes.empty());
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", bytes.size());
  out += bytes;
  out += "\r\n";
}

bool has_no_body(unsigned status) { return status / 100 == 1 || status == 204 || status == 304; }

}  // namespace carat::http
