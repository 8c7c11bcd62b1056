#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace carat::grammar {

// A set of Unicode code points, surrogates never among them.
class CodePoints {
 public:
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;  // inclusive
  };

  CodePoints() = default;
  CodePoints(std::initializer_list<Range> ranges);

  void add(std::uint32_t first, std::uint32_t last);
  void add(const CodePoints& other);
  bool contains(std::uint32_t code_point) const;
  bool empty() const { return ranges_.empty(); }
  CodePoints complement() const;
  CodePoints without(const CodePoints& other) const;
  const std::vector<Range>& ranges() const { return ranges_; }

 private:
  std::vector<Range> ranges_;  // in order, apart from each other
};

// What stands for them in an EBNF grammar: a character class, or one of a string literal.
std::string ebnf_class(const CodePoints& set);
// `text` is valid UTF-8; the literal stands in quotes.
std::string ebnf_literal(std::string_view text);

}  // namespace carat::grammar
