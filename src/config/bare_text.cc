#include "config/bare_text.h"

#include <algorithm>
#include <string>

namespace carat::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Of the string that `text` begins with: up to its last quote, or to where it breaks off.
std::size_t quoted_length(std::string_view text) {
  const char quote = text[0];
  const std::string triple(3, quote);
  const bool multi_line = text.starts_with(triple);
  for (std::size_t i = multi_line ? 3 : 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (multi_line && text.substr(i).starts_with(triple)) {
      i += triple.size();
      // Two more quotes may belong to the text: """"a"""""
      for (int extra = 0; extra < 2 && i < text.size() && text[i] == quote; ++extra) ++i;
      return i;
    } else if (!multi_line && text[i] == '\n') {
      return i;
    } else if (!multi_line && text[i] == quote) {
      return i + 1;
    }
  }
  return text.size();
}

}  // namespace

std::optional<std::size_t> line_of_bare_non_ascii(std::string_view toml) {
  if (toml.starts_with(kByteOrderMark)) toml.remove_prefix(kByteOrderMark.size());
  std::size_t line = 1;
  while (!toml.empty()) {
    if (static_cast<unsigned char>(toml[0]) >= 0x80) return line;
    std::size_t length = 1;
    if (toml[0] == '#') length = std::min(toml.find('\n'), toml.size());
    if (toml[0] == '"' || toml[0] == '\'') length = quoted_length(toml);
    line += static_cast<std::size_t>(std::ranges::count(toml.substr(0, length), '\n'));
    toml.remove_prefix(length);
  }
  return std::nullopt;
}

}  // namespace carat::config
