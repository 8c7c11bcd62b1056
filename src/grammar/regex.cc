#include "grammar/regex.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "grammar/code_points.h"

namespace carat::grammar {
namespace {

constexpr std::size_t kMaxBytes = 1000;
constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxStates = 2000;
constexpr std::uint32_t kMaxCount = 128;

const CodePoints& digits() {
  static const CodePoints set = {{'0', '9'}};
  return set;
}
const CodePoints& word_characters() {
  static const CodePoints set = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  return set;
}
// Engines differ on which spaces count: \s takes those that all do, \S none that any does.
const CodePoints& sure_spaces() {
  static const CodePoints set = {{'\t', '\r'}, {' ', ' '}};
  return set;
}
const CodePoints& possible_spaces() {
  static const CodePoints set = {{'\t', '\r'},     {0x1C, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},
                                 {0x1680, 0x1680}, {0x180E, 0x180E}, {0x2000, 0x200B}, {0x2028, 0x2029},
                                 {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
  return set;
}
const CodePoints& line_ends() {
  static const CodePoints set = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
  return set;
}

// Escapes of JSON's own; other control characters are left out of what a class allows.
struct JsonEscape {
  std::uint32_t code_point;
  char letter;
};
constexpr std::array kJsonEscapes = {JsonEscape{'"', '"'},  JsonEscape{'\\', '\\'}, JsonEscape{'\b', 'b'},
                                     JsonEscape{'\f', 'f'}, JsonEscape{'\n', 'n'},  JsonEscape{'\r', 'r'},
                                     JsonEscape{'\t', 't'}};

std::string in_json_string(const CodePoints& set) {
  static const CodePoints escaped = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
  std::string text;
  const auto add = [&](const std::string& alternative) { text += (text.empty() ? "" : " | ") + alternative; };
  const CodePoints raw = set.without(escaped);
  if (!raw.empty()) add(ebnf_class(raw));
  for (const JsonEscape& escape : kJsonEscapes) {
    if (set.contains(escape.code_point)) add(ebnf_literal(std::string{'\\', escape.letter}));
  }
  return text;
}

// An expression and how many states an automaton needs for it, about.
struct Part {
  std::string ebnf;
  std::size_t states = 0;
};

class Parser {
 public:
  Parser(std::string_view pattern, TextForm form, Match match)
      : pattern_(pattern), form_(form), match_(match) {}

  Result<std::string> parse() {
    CARAT_TRY(Part whole, alternatives(0));
    if (place_ < pattern_.size()) return refuse("a closing parenthesis without its opening one");
    return std::move(whole.ebnf);
  }

 private:
  template <class... Args>
  std::unexpected<Error> refuse(fmt::format_string<Args...> format, Args&&... args) const {
    return fail(ErrorKind::kUsage, "the pattern at byte {}: {}", place_,
                fmt::format(format, std::forward<Args>(args)...));
  }

  bool at_end() const { return place_ == pattern_.size(); }
  bool at(char c) const { return !at_end() && pattern_[place_] == c; }
  bool take(std::string_view text) {
    if (!pattern_.substr(place_).starts_with(text)) return false;
    place_ += text.size();
    return true;
  }

  std::uint32_t take_code_point() {
    const Utf8Unit unit = first_utf8_unit(pattern_.substr(place_));  // the pattern is valid
    const auto lead = static_cast<unsigned char>(pattern_[place_]);
    std::uint32_t value = unit.length == 1 ? lead : lead & (0xFFU >> (unit.length + 1));
    for (std::size_t i = 1; i < unit.length; ++i) {
      value = value << 6 | (static_cast<unsigned char>(pattern_[place_ + i]) & 0x3FU);
    }
    place_ += unit.length;
    return value;
  }

  Result<Part> alternatives(std::size_t depth) {
    if (depth > kMaxDepth) return refuse("groups are nested more than {} deep", kMaxDepth);
    Part out;
    do {
      CARAT_TRY(Part one, depth == 0 ? top_level_sequence() : sequence(depth));
      out.ebnf += (out.ebnf.empty() ? "(" : " | ") + one.ebnf;
      out.states += one.states + 1;
    } while (take("|"));
    if (out.states > kMaxStates) return refuse("it would take over {} states", kMaxStates);
    out.ebnf += ")";
    return out;
  }

  // Only here may anchors stand; a search has any text on the sides without one.
  Result<Part> top_level_sequence() {
    const bool from_start = take("^") || match_ == Match::kWhole;
    CARAT_TRY(Part part, sequence(0));
    const bool to_end = take("$") || match_ == Match::kWhole;
    if (!at_end() && !at('|') && !at(')')) return refuse("$ is understood at the end only");
    CARAT_TRY(const Part any, set(CodePoints().complement()));
    if (!from_start) part.ebnf = "(" + any.ebnf + ")* " + part.ebnf;
    if (!to_end) part.ebnf += " (" + any.ebnf + ")*";
    return part;
  }

  Result<Part> sequence(std::size_t depth) {
    Part out;
    while (!at_end() && !at('|') && !at(')') && !at('$')) {
      CARAT_TRY(Part one, atom(depth));
      CARAT_TRY_VOID(quantify(one));
      out.ebnf += (out.ebnf.empty() ? "" : " ") + one.ebnf;
      out.states += one.states;
      if (out.states > kMaxStates) return refuse("it would take over {} states", kMaxStates);
    }
    if (depth > 0 && at('$')) return refuse("$ is understood at the end only");
    if (out.ebnf.empty()) out.ebnf = "\"\"";
    return out;
  }

  Result<Part> atom(std::size_t depth) {
    if (take("(")) return group(depth);
    if (at('*') || at('+') || at('?') || at('{')) return refuse("a quantifier with nothing before it");
    if (take("^")) return refuse("^ is understood at the beginning only");
    if (at(']') || at('}')) return refuse("a bracket without its opening one");
    if (take(".")) return set(line_ends().complement());
    if (take("[")) {
      CARAT_TRY(const CodePoints chosen, character_class());
      return set(chosen);
    }
    if (take("\\")) {
      CARAT_TRY(const CodePoints chosen, escape());
      return set(chosen);
    }
    const std::uint32_t code_point = take_code_point();
    return set({{code_point, code_point}});
  }

  Result<Part> group(std::size_t depth) {
    if (take("?")) {
      const bool named = at('<') && place_ + 1 < pattern_.size() && pattern_[place_ + 1] != '=' &&
                         pattern_[place_ + 1] != '!';
      if (named) {
        const std::size_t end = pattern_.find('>', place_);
        if (end == std::string_view::npos) return refuse("a group's name without an end");
        place_ = end + 1;
      } else if (!take(":")) {
        return refuse("only plain, (?:...) and named groups are supported");
      }
    }
    CARAT_TRY(Part inside, alternatives(depth + 1));
    if (!take(")")) return refuse("a parenthesis is not closed");
    return inside;
  }

  Result<Part> set(const CodePoints& chosen) {
    const std::string text = form_ == TextForm::kPlain && !chosen.empty() ? ebnf_class(chosen)
                             : form_ == TextForm::kJsonString             ? in_json_string(chosen)
                                                                          : "";
    if (text.empty()) return refuse("a class without characters that could be written");
    return Part{form_ == TextForm::kPlain ? text : "(" + text + ")", 1};
  }

  Result<CodePoints> character_class() {
    const bool negated = take("^");
    CodePoints chosen;
    while (!at(']')) {
      if (at_end()) return refuse("a class is not closed");
      CARAT_TRY(const CodePoints low, class_member());
      const bool range = at('-') && place_ + 1 < pattern_.size() && pattern_[place_ + 1] != ']';
      if (!range) {
        chosen.add(low);
        continue;
      }
      ++place_;
      if (at_end()) return refuse("a class is not closed");
      CARAT_TRY(const CodePoints high, class_member());
      const bool single = low.ranges().size() == 1 && low.ranges()[0].first == low.ranges()[0].last &&
                          high.ranges().size() == 1 && high.ranges()[0].first == high.ranges()[0].last;
      if (!single || low.ranges()[0].first > high.ranges()[0].first) return refuse("a range in disorder");
      chosen.add(low.ranges()[0].first, high.ranges()[0].first);
    }
    ++place_;
    return negated ? chosen.complement() : chosen;
  }

  Result<CodePoints> class_member() {
    if (take("\\")) return escape();
    const std::uint32_t code_point = take_code_point();
    return CodePoints{{code_point, code_point}};
  }

  // What follows a backslash.
  Result<CodePoints> escape() {
    if (at_end()) return refuse("it ends in a backslash");
    const char c = pattern_[place_];
    if (static_cast<unsigned char>(c) >= 0x80) return refuse("an unknown escape");
    ++place_;
    switch (c) {
      case 'd': return digits();
      case 'D': return digits().complement();
      case 'w': return word_characters();
      case 'W': return word_characters().complement();
      case 's': return sure_spaces();
      case 'S': return possible_spaces().complement();
      case 'n': return CodePoints{{'\n', '\n'}};
      case 'r': return CodePoints{{'\r', '\r'}};
      case 't': return CodePoints{{'\t', '\t'}};
      case 'f': return CodePoints{{'\f', '\f'}};
      case 'v': return CodePoints{{'\v', '\v'}};
      case 'x': return hexadecimal(2);
      case 'u': return hexadecimal(4);
      default: break;
    }
    if (word_characters().contains(static_cast<std::uint32_t>(c))) return refuse("\\{} is not supported", c);
    return CodePoints{{static_cast<std::uint32_t>(c), static_cast<std::uint32_t>(c)}};
  }

  Result<CodePoints> hexadecimal(std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i, ++place_) {
      const std::size_t digit = at_end() ? std::string_view::npos
                                         : std::string_view("0123456789abcdef").find(lower(pattern_[place_]));
      if (digit == std::string_view::npos) return refuse("{} hexadecimal digits were expected", count);
      value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    const CodePoints one = {{value, value}};
    if (one.empty()) return refuse("a surrogate is no character");
    return one;
  }

  static char lower(char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; }

  struct Counts {
    std::uint32_t least = 0;
    std::optional<std::uint32_t> most;
  };

  // Appends the quantifier that follows, if there is one.
  Result<> quantify(Part& part) {
    Counts counts;
    if (take("*")) {
      part.ebnf += "*";
    } else if (take("+")) {
      part.ebnf += "+";
    } else if (take("?")) {
      part.ebnf += "?";
    } else if (take("{")) {
      CARAT_TRY(counts, braces());
      part.ebnf += counts.most ? fmt::format("{{{},{}}}", counts.least, *counts.most)
                               : fmt::format("{{{},}}", counts.least);
      part.states *= std::max(counts.most.value_or(counts.least + 1), 1U);
    } else {
      return {};
    }
    take("?");  // lazy: the same texts
    if (at('*') || at('+') || at('?') || at('{')) return refuse("a quantifier of a quantifier");
    part.ebnf = "(" + part.ebnf + ")";
    return {};
  }

  Result<Counts> braces() {
    Counts counts;
    CARAT_TRY(counts.least, count());
    counts.most = counts.least;
    if (take(",")) {
      counts.most.reset();
      if (!at('}')) {
        CARAT_TRY(counts.most, count());
      }
    }
    if (!take("}")) return refuse("a count is not closed");
    if (counts.most && *counts.most < counts.least) return refuse("a count in disorder");
    return counts;
  }

  Result<std::uint32_t> count() {
    std::uint32_t value = 0;
    const std::size_t begin = place_;
    while (!at_end() && pattern_[place_] >= '0' && pattern_[place_] <= '9') {
      value = value * 10 + static_cast<std::uint32_t>(pattern_[place_++] - '0');
      if (value > kMaxCount) return refuse("a count over {}", kMaxCount);
    }
    if (place_ == begin) return refuse("a count was expected");
    return value;
  }

  std::string_view pattern_;
  TextForm form_;
  Match match_;
  std::size_t place_ = 0;
};

}  // namespace

Result<std::string> regex_to_ebnf(std::string_view pattern, TextForm form, Match match) {
  if (pattern.size() > kMaxBytes) {
    return fail(ErrorKind::kUsage, "the pattern has {} bytes, where {} are allowed", pattern.size(),
                kMaxBytes);
  }
  if (!is_valid_utf8(pattern)) return fail(ErrorKind::kUsage, "the pattern is not valid UTF-8");
  return Parser(pattern, form, match).parse();
}

}  // namespace carat::grammar
