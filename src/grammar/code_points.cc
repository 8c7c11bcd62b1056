#include "grammar/code_points.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

namespace carat::grammar {
namespace {

constexpr std::uint32_t kLast = 0x10FFFF;
constexpr std::uint32_t kFirstSurrogate = 0xD800;
constexpr std::uint32_t kLastSurrogate = 0xDFFF;

// Fixed numbers of digits: XGrammar's \x takes as many as come.
std::string escaped(std::uint32_t code_point) {
  return code_point <= 0xFFFF ? fmt::format("\\u{:04X}", code_point) : fmt::format("\\U{:08X}", code_point);
}

}  // namespace

CodePoints::CodePoints(std::initializer_list<Range> ranges) {
  for (const Range& range : ranges) add(range.first, range.last);
}

void CodePoints::add(std::uint32_t first, std::uint32_t last) {
  if (first < kFirstSurrogate && last > kLastSurrogate) {
    add(first, kFirstSurrogate - 1);
    add(kLastSurrogate + 1, last);
    return;
  }
  if (first >= kFirstSurrogate && first <= kLastSurrogate) first = kLastSurrogate + 1;
  if (last >= kFirstSurrogate && last <= kLastSurrogate) last = kFirstSurrogate - 1;
  last = std::min(last, kLast);
  if (first > last) return;
  std::vector<Range> merged;
  for (const Range& range : ranges_) {
    if (range.last + 1 < first || last + 1 < range.first) {
      merged.push_back(range);
    } else {
      first = std::min(first, range.first);
      last = std::max(last, range.last);
    }
  }
  merged.push_back({first, last});
  std::ranges::sort(merged, {}, &Range::first);
  ranges_ = std::move(merged);
}

void CodePoints::add(const CodePoints& other) {
  for (const Range& range : other.ranges_) add(range.first, range.last);
}

bool CodePoints::contains(std::uint32_t code_point) const {
  return std::ranges::any_of(
      ranges_, [&](const Range& range) { return range.first <= code_point && code_point <= range.last; });
}

CodePoints CodePoints::complement() const {
  CodePoints rest;
  std::uint32_t next = 0;
  for (const Range& range : ranges_) {
    if (range.first > next) rest.add(next, range.first - 1);
    next = range.last + 1;
  }
  if (next <= kLast) rest.add(next, kLast);
  return rest;
}

CodePoints CodePoints::without(const CodePoints& other) const {
  CodePoints outside = complement();
  outside.add(other);
  return outside.complement();
}

std::string ebnf_class(const CodePoints& set) {
  std::string text = "[";
  for (const CodePoints::Range& range : set.ranges()) {
    text += escaped(range.first);
    if (range.last > range.first) text.append("-").append(escaped(range.last));
  }
  return text + "]";
}

std::string ebnf_literal(std::string_view text) {
  std::string literal = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || c == '"' || c == '\\' || byte == 0x7F) {
      literal += escaped(byte);
    } else {
      literal += c;
    }
  }
  return literal + "\"";
}

}  // namespace carat::grammar
