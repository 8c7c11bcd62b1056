#include "chat/strip.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace carat::chat {
namespace {

// Characters that Python counts as white space, in UTF-8.
constexpr std::array<std::string_view, 29> kWhiteSpace = {
    "\t",           "\n",           "\v",           "\f",           "\r",
    "\x1C",         "\x1D",         "\x1E",         "\x1F",         " ",
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
    "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
    "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
    "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80",
};

std::size_t leading_space(std::string_view text) {
  const auto found =
      std::ranges::find_if(kWhiteSpace, [&](std::string_view s) { return text.starts_with(s); });
  return found == kWhiteSpace.end() ? 0 : found->size();
}

std::size_t trailing_space(std::string_view text) {
  const auto found = std::ranges::find_if(kWhiteSpace, [&](std::string_view s) { return text.ends_with(s); });
  return found == kWhiteSpace.end() ? 0 : found->size();
}

}  // namespace

std::string_view strip(std::string_view text) {
  while (const std::size_t length = leading_space(text)) text.remove_prefix(length);
  while (const std::size_t length = trailing_space(text)) text.remove_suffix(length);
  return text;
}

}  // namespace carat::chat
