#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace carat::grammar {

// Where a match stands: as it is, or as the content of a JSON string, where some characters are escaped.
enum class TextForm { kPlain, kJsonString };

// How a pattern is meant: matching the whole text, or found anywhere in it unless anchored (JSON schema's).
enum class Match { kWhole, kSearch };

// Turns a regular expression into an EBNF expression for the same texts. Knows ECMAScript's classes, groups,
// alternatives and quantifiers, and anchors at either end of a top-level alternative; everything else
// (lookaround, back references, \b, \p) is refused, and so is what would grow too large: nesting over 32,
// counts over 128, 2,000 states. kUsage, naming the place in the pattern.
Result<std::string> regex_to_ebnf(std::string_view pattern, TextForm form, Match match);

}  // namespace carat::grammar
