#pragma once

#include <string_view>

namespace carat::http {

// Why the server does not hand a request on: a status and a fixed sentence, which never repeats what was
// sent.
struct Refusal {
  unsigned status = 400;
  std::string_view message;
};

}  // namespace carat::http
