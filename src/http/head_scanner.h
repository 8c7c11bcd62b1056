#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string_view>

#include "http/refusal.h"
#include "http/server_options.h"

namespace carat::http {

// Finds the end of a request's head in bytes that arrive piece by piece, and refuses on the way, as early as
// the bytes are there, what a parser might read in two ways or that passes a limit: line ends other than CR
// LF, a line that continues the one before (obs-fold), NUL, too long a request line, too many or too long
// headers.
class HeadScanner {
 public:
  explicit HeadScanner(const ServerLimits& limits) : limits_(limits) {}

  // `input`: all bytes since the start of the head, each time. The head's length, its empty line included;
  // nullopt: more bytes are needed.
  std::expected<std::optional<std::size_t>, Refusal> scan(std::string_view input);

 private:
  std::optional<Refusal> look_at(char c);

  const ServerLimits& limits_;
  std::size_t position_ = 0;  // bytes looked at
  std::size_t lines_ = 0;     // that ended
  std::size_t in_line_ = 0;   // bytes of the current line, its CR included
  bool after_cr_ = false;
  bool ended_ = false;
};

}  // namespace carat::http
