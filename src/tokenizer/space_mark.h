#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace carat::tokenizer {

// How SentencePiece writes a space in its pieces: U+2581.
inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

inline bool has_space_mark(std::string_view text) { return text.find(kSpaceMark) != std::string_view::npos; }

inline std::string marks_to_spaces(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (true) {
    const std::size_t mark = text.find(kSpaceMark);
    out.append(text.substr(0, mark));
    if (mark == std::string_view::npos) return out;
    out.push_back(' ');
    text.remove_prefix(mark + kSpaceMark.size());
  }
}

}  // namespace carat::tokenizer
