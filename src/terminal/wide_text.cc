#include "terminal/wide_text.h"

#include <cstdint>

#include "base/utf8.h"

namespace carat::terminal {
namespace {

static_assert(sizeof(wchar_t) == 4, "a wchar_t holds any code point");

constexpr std::uint32_t kReplacement = 0xFFFD;

// `character` is one well-formed character.
std::uint32_t code_point(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return byte(0);
  std::uint32_t value = byte(0) & (0x7FU >> character.size());
  for (std::size_t i = 1; i < character.size(); ++i) value = value << 6 | (byte(i) & 0x3FU);
  return value;
}

void append(std::uint32_t value, std::string& out) {
  const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  const bool is_character = value < 0xD800 || (value > 0xDFFF && value <= 0x10FFFF);
  if (!is_character) value = kReplacement;
  if (value < 0x80) return add(value);
  if (value < 0x800) {
    add(0xC0 | value >> 6);
  } else if (value < 0x10000) {
    add(0xE0 | value >> 12);
    add(0x80 | (value >> 6 & 0x3F));
  } else {
    add(0xF0 | value >> 18);
    add(0x80 | (value >> 12 & 0x3F));
    add(0x80 | (value >> 6 & 0x3F));
  }
  add(0x80 | (value & 0x3F));
}

}  // namespace

std::wstring to_wide(std::string_view text) {
  std::wstring out;
  while (!text.empty()) {
    const Utf8Unit unit = first_utf8_unit(text);
    const bool valid = unit.kind == Utf8Unit::kCharacter;
    out += static_cast<wchar_t>(valid ? code_point(text.substr(0, unit.length)) : kReplacement);
    text.remove_prefix(unit.length);
  }
  return out;
}

std::string to_utf8(std::wstring_view text) {
  std::string out;
  for (const wchar_t character : text) append(static_cast<std::uint32_t>(character), out);
  return out;
}

}  // namespace carat::terminal
