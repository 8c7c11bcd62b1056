#include "http/request_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace carat::http {
namespace {

constexpr std::size_t kMostBody = 100;

struct Parsed {
  std::string method;
  std::string target;
  std::string body;
  bool operator==(const Parsed&) const = default;
};

ServerLimits small_limits() {
  ServerLimits limits;
  limits.most_target_bytes = 40;
  limits.most_header_bytes = 300;
  limits.most_headers = 6;
  return limits;
}

// Reads requests one after another, as the connection does, from input that comes in pieces. The status of
// the first refusal in `refused`; 0 when all were read; 1 when bytes are left that are no whole request.
std::vector<Parsed> parse_pieces(const std::vector<std::string>& pieces, unsigned& refused) {
  const ServerLimits limits = small_limits();
  std::vector<Parsed> requests;
  std::string input;
  std::size_t next = 0;
  refused = 0;
  while (true) {
    RequestParser parser(limits);
    bool has_head = false;
    while (!has_head || !parser.is_done()) {
      const auto used = has_head ? parser.read_body(input) : parser.read_head(input);
      if (!used) {
        refused = used.error().status;
        return requests;
      }
      input.erase(0, *used);
      if (!has_head && *used > 0) {
        has_head = true;
        if (const auto fits = parser.limit_body(kMostBody); !fits) {
          refused = fits.error().status;
          return requests;
        }
        continue;
      }
      if (has_head && parser.is_done()) break;
      if (next == pieces.size()) {
        refused = has_head || !input.empty() ? 1 : 0;
        return requests;
      }
      input += pieces[next++];
    }
    requests.push_back({parser.head().method, parser.head().target, parser.body()});
  }
}

std::string get(std::string_view headers, std::string_view line = "GET / HTTP/1.1") {
  return std::string(line) + "\r\n" + std::string(headers) + "\r\n";
}

unsigned status_of(const std::string& text) {
  unsigned refused = 0;
  parse_pieces({text}, refused);
  return refused;
}

TEST(RequestParserTest, PipelinedRequestsAreTheSameAtEverySplit) {
  const std::string text =
      "GET /a?x=1 HTTP/1.1\r\nHost: h\r\n\r\n"
      "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
      "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n00a\r\n0123456789\r\n0\r\n\r\n"
      "DELETE /d HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::vector<Parsed> expected = {
      {"GET", "/a?x=1", ""}, {"POST", "/b", "hello"}, {"POST", "/c", "abc0123456789"}, {"DELETE", "/d", ""}};
  unsigned refused = 0;
  for (std::size_t split = 0; split <= text.size(); ++split) {
    SCOPED_TRACE(split);
    EXPECT_EQ(parse_pieces({text.substr(0, split), text.substr(split)}, refused), expected);
    EXPECT_EQ(refused, 0U);
  }
  std::vector<std::string> bytes;
  for (const char c : text) bytes.emplace_back(1, c);
  EXPECT_EQ(parse_pieces(bytes, refused), expected);
  EXPECT_EQ(refused, 0U);
}

TEST(RequestParserTest, RefusesWhatCouldBeReadInTwoWays) {
  const std::string chunked = get("Host: h\r\nTransfer-Encoding: chunked\r\n", "POST / HTTP/1.1");
  const struct {
    const char* what;
    std::string text;
    unsigned status;
  } cases[] = {
      {"plain", get("Host: h\r\n"), 0},
      {"no host", get(""), 400},
      {"no host in 1.0", get("", "GET / HTTP/1.0"), 0},
      {"two hosts", get("Host: h\r\nhost: h\r\n"), 400},
      {"two authorizations", get("Host: h\r\nAuthorization: a\r\nauthorization: b\r\n"), 400},
      {"two keys", get("Host: h\r\nX-Api-Key: a\r\nx-api-key: a\r\n"), 400},
      {"repeated other header", get("Host: h\r\nA: 1\r\nA: 2\r\n"), 0},
      {"equal lengths twice", get("Host: h\r\nContent-Length: 0\r\nContent-Length: 0\r\n"), 400},
      {"two lengths", get("Host: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n"), 400},
      {"list of lengths", get("Host: h\r\nContent-Length: 1, 1\r\n"), 400},
      {"signed length", get("Host: h\r\nContent-Length: +1\r\n"), 400},
      {"negative length", get("Host: h\r\nContent-Length: -1\r\n"), 400},
      {"hexadecimal length", get("Host: h\r\nContent-Length: 0x1\r\n"), 400},
      {"empty length", get("Host: h\r\nContent-Length: \r\n"), 400},
      {"length of 2^64", get("Host: h\r\nContent-Length: 18446744073709551616\r\n"), 400},
      {"length above the limit", get("Host: h\r\nContent-Length: 101\r\n"), 413},
      {"length and chunks", get("Host: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"chunks and length", get("Host: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400},
      {"chunks twice", get("Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"gzip, chunked", get("Host: h\r\nTransfer-Encoding: gzip, chunked\r\n"), 400},
      {"chunked, identity", get("Host: h\r\nTransfer-Encoding: chunked, identity\r\n"), 400},
      {"unknown coding", get("Host: h\r\nTransfer-Encoding: xchunked\r\n"), 400},
      {"chunks in 1.0", get("Host: h\r\nTransfer-Encoding: chunked\r\n", "POST / HTTP/1.0"), 400},
      {"folded line", get("Host: h\r\nA: 1\r\n 2\r\n"), 400},
      {"folded with a tab", get("Host: h\r\nA: 1\r\n\t2\r\n"), 400},
      {"space before the colon", get("Host : h\r\n"), 400},
      {"space before the first name", get(" Host: h\r\n"), 400},
      {"no colon", get("Host: h\r\nA\r\n"), 400},
      {"no name", get("Host: h\r\n: a\r\n"), 400},
      {"NUL in a value", get(std::string("Host: h\r\nA: 1\0", 14) + "2\r\n"), 400},
      {"control character in a value", get("Host: h\r\nA: \x01\r\n"), 400},
      {"line feeds alone", "GET / HTTP/1.1\nHost: h\n\n", 400},
      {"one line feed alone", "GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", 400},
      {"carriage return alone", "GET / HTTP/1.1\r\nHost: h\rA: b\r\n\r\n", 400},
      {"empty line first", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"TLS on a plain port", "\x16\x03\x01", 400},
      {"HTTP/0.9", "GET /\r\n\r\n", 400},
      {"HTTP/1.2", get("Host: h\r\n", "GET / HTTP/1.2"), 505},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"two spaces", get("Host: h\r\n", "GET  / HTTP/1.1"), 400},
      {"space in the path", get("Host: h\r\n", "GET /a b HTTP/1.1"), 400},
      {"lower case method", get("Host: h\r\n", "get / HTTP/1.1"), 400},
      {"gzip body", get("Host: h\r\nContent-Encoding: gzip\r\n"), 415},
      {"identity body", get("Host: h\r\nContent-Encoding: identity\r\n"), 0},
      {"unknown expectation", get("Host: h\r\nExpect: tea\r\n"), 417},
      {"chunks", chunked + "1\r\na\r\n0\r\n\r\n", 0},
      {"chunk extension", chunked + "1;a=b\r\na\r\n0\r\n\r\n", 400},
      {"extension of the last chunk", chunked + "1\r\na\r\n0;a\r\n\r\n", 400},
      {"trailer", chunked + "1\r\na\r\n0\r\nA: b\r\n\r\n", 400},
      {"no chunk size", chunked + "\r\na\r\n0\r\n\r\n", 400},
      {"chunk size with 0x", chunked + "0x1\r\na\r\n0\r\n\r\n", 400},
      {"negative chunk size", chunked + "-1\r\na\r\n0\r\n\r\n", 400},
      {"space before a chunk size", chunked + " 1\r\na\r\n0\r\n\r\n", 400},
      {"space after a chunk size", chunked + "1 \r\na\r\n0\r\n\r\n", 400},
      {"chunk size of 2^64", chunked + "10000000000000000\r\na\r\n0\r\n\r\n", 400},
      {"chunk of the largest size", chunked + "ffffffffffffffff\r\na", 413},
      {"chunks above the limit", chunked + "64\r\n" + std::string(100, 'x') + "\r\n1\r\n", 413},
      {"chunk longer than its size", chunked + "1\r\nab\r\n0\r\n\r\n", 400},
      {"chunk ended by a line feed", chunked + "1\na\n0\n\n", 1},
      {"endless chunk size", chunked + std::string(70, '0'), 400},
      {"request cut in its head", "GET / HTTP/1.1\r\nHo", 1},
      {"request cut in its body", get("Host: h\r\nContent-Length: 2\r\n") + "a", 1},
      {"request cut in a chunk", chunked + "5\r\nab", 1},
  };
  for (const auto& c : cases) EXPECT_EQ(status_of(c.text), c.status) << c.what;
}

TEST(RequestParserTest, LimitsAreEnforcedToTheByte) {
  EXPECT_EQ(status_of(get("Host: h\r\n", "GET /" + std::string(39, 'a') + " HTTP/1.1")), 0U);
  EXPECT_EQ(status_of(get("Host: h\r\n", "GET /" + std::string(40, 'a') + " HTTP/1.1")), 414U);
  EXPECT_EQ(status_of("GET /" + std::string(90, 'a')), 414U) << "before the line ends";

  std::string headers = "Host: h\r\n";
  for (int i = 0; i < 5; ++i) headers += "A: b\r\n";
  EXPECT_EQ(status_of(get(headers)), 0U);
  EXPECT_EQ(status_of(get(headers + "A: b\r\n")), 431U);

  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nA: ";
  const std::string end = "\r\n\r\n";
  EXPECT_EQ(status_of(start + std::string(300 - start.size() - end.size(), 'x') + end), 0U);
  EXPECT_EQ(status_of(start + std::string(301 - start.size() - end.size(), 'x') + end), 431U);
  EXPECT_EQ(status_of(start + std::string(300, 'x')), 431U) << "before the head ends";

  EXPECT_EQ(status_of(get("Host: h\r\nContent-Length: 100\r\n", "PUT / HTTP/1.1") + std::string(100, 'x')),
            0U);
}

TEST(RequestParserTest, SaysWhetherTheConnectionGoesOn) {
  const ServerLimits limits;
  const auto keeps_alive = [&](const std::string& text) {
    RequestParser parser(limits);
    EXPECT_TRUE(parser.read_head(text).value_or(0) > 0);
    return parser.head().keep_alive;
  };
  EXPECT_TRUE(keeps_alive(get("Host: h\r\n")));
  EXPECT_FALSE(keeps_alive(get("Host: h\r\nConnection: Close\r\n")));
  EXPECT_FALSE(keeps_alive(get("Host: h\r\n", "GET / HTTP/1.0")));
  EXPECT_TRUE(keeps_alive(get("Host: h\r\nConnection: keep-alive\r\n", "GET / HTTP/1.0")));
}

}  // namespace
}  // namespace carat::http
