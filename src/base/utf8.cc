#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace carat {
namespace {

struct LeadByte {
  std::size_t length = 0;  // of the whole character, 0 where no character starts with this byte
  unsigned second_least = 0x80;
  unsigned second_most = 0xBF;
};

// Unicode 15, table 3-7: only the second byte has a range that depends on the first.
constexpr LeadByte classify(unsigned byte) {
  if (byte < 0x80) return {1};
  if (byte >= 0xC2 && byte <= 0xDF) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

unsigned byte_at(std::string_view text, std::size_t index) { return static_cast<unsigned char>(text[index]); }

// Length of the leading run of ASCII, found eight bytes at a time.
std::size_t ascii_prefix(std::string_view text) {
  std::size_t i = 0;
  for (std::uint64_t word = 0; i + sizeof word <= text.size(); i += sizeof word) {
    std::memcpy(&word, text.data() + i, sizeof word);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  while (i < text.size() && byte_at(text, i) < 0x80) ++i;
  return i;
}

std::size_t valid_prefix(std::string_view text) {
  std::size_t i = 0;
  while (true) {
    i += ascii_prefix(text.substr(i));
    if (i == text.size()) return i;
    const Utf8Unit unit = first_utf8_unit(text.substr(i));
    if (unit.kind != Utf8Unit::kCharacter) return i;
    i += unit.length;
  }
}

}  // namespace

Utf8Unit first_utf8_unit(std::string_view text) {
  const LeadByte lead = classify(byte_at(text, 0));
  if (lead.length == 0) return {Utf8Unit::kInvalid, 1};
  for (std::size_t i = 1; i < lead.length; ++i) {
    if (i == text.size()) return {Utf8Unit::kIncomplete, i};
    const unsigned byte = byte_at(text, i);
    const unsigned least = i == 1 ? lead.second_least : 0x80;
    const unsigned most = i == 1 ? lead.second_most : 0xBF;
    if (byte < least || byte > most) return {Utf8Unit::kInvalid, i};
  }
  return {Utf8Unit::kCharacter, lead.length};
}

bool is_valid_utf8(std::string_view text) { return valid_prefix(text) == text.size(); }

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t valid = valid_prefix(text);
    out.append(text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) break;
    out.append(kReplacementCharacter);
    text.remove_prefix(first_utf8_unit(text).length);
  }
  return out;
}

}  // namespace carat
