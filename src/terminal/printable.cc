#include "terminal/printable.h"

#include "base/utf8.h"

namespace carat::terminal {
namespace {

bool is_c0_or_delete(std::string_view character) {
  const auto byte = static_cast<unsigned char>(character[0]);
  return byte < 0x20 || byte == 0x7F;
}

// U+0080..U+009F
bool is_c1(std::string_view character) {
  return character.size() == 2 && character[0] == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0;
}

// U+202A..U+202E and U+2066..U+2069
bool reorders(std::string_view character) {
  if (character.size() != 3 || character[0] != '\xE2') return false;
  const auto last = static_cast<unsigned char>(character[2]);
  return (character[1] == '\x80' && last >= 0xAA && last <= 0xAE) ||
         (character[1] == '\x81' && last >= 0xA6 && last <= 0xA9);
}

std::string filter(std::string_view text, std::string_view allowed_controls) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Unit unit = first_utf8_unit(text);
    const std::string_view character = text.substr(0, unit.length);
    text.remove_prefix(unit.length);
    if (character == "\r" && text.starts_with('\n') && allowed_controls.contains('\n')) continue;
    const bool allowed = character.size() == 1 && allowed_controls.contains(character[0]);
    const bool shown = unit.kind == Utf8Unit::kCharacter && !is_c0_or_delete(character) &&
                       !is_c1(character) && !reorders(character);
    out += allowed || shown ? character : kReplacementCharacter;
  }
  return out;
}

}  // namespace

std::string printable_text(std::string_view text) { return filter(text, "\n\t"); }

std::string printable_line(std::string_view text) { return filter(text, ""); }

}  // namespace carat::terminal
