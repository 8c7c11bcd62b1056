#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace carat {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

// What stands at the start of a byte string that should be UTF-8.
struct Utf8Unit {
  enum Kind {
    kCharacter,   // one well-formed character
    kInvalid,     // a maximal subpart that no further byte could make well-formed (Unicode 15, section 3.9,
                  // D93b)
    kIncomplete,  // the beginning of a character; the text ends too early
  };
  Kind kind = kCharacter;
  std::size_t length = 1;  // bytes, at least 1
};

// `text` must not be empty. Surrogates, overlong forms and values above U+10FFFF are invalid.
Utf8Unit first_utf8_unit(std::string_view text);

bool is_valid_utf8(std::string_view text);

// Each maximal invalid subpart, an incomplete end included, replaced by one U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

}  // namespace carat
