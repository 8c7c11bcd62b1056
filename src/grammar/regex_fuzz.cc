#include "grammar/regex.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

// Regular expressions as clients send them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using carat::grammar::Match;
  using carat::grammar::TextForm;
  const std::string_view pattern(reinterpret_cast<const char*>(data), size);
  static_cast<void>(carat::grammar::regex_to_ebnf(pattern, TextForm::kPlain, Match::kWhole));
  static_cast<void>(carat::grammar::regex_to_ebnf(pattern, TextForm::kJsonString, Match::kSearch));
  return 0;
}
