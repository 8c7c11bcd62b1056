#include "grammar/number_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace carat::grammar {
namespace {

constexpr std::string_view kAnyFraction = "(\".\" [0-9]{1,18})?";
constexpr std::size_t kMostDigits = 18;  // of whole numbers without an upper bound

std::string digit_range(char first, char last) {
  return first == last ? fmt::format("\"{}\"", first) : fmt::format("[{}-{}]", first, last);
}

std::string any_digits(std::size_t count) { return count == 0 ? "\"\"" : fmt::format("[0-9]{{{}}}", count); }

// Alternatives are gathered as texts; "" stands for none.
void add(std::string& alternatives, const std::string& one) {
  if (one.empty()) return;
  if (!alternatives.empty()) alternatives += " | ";
  alternatives += one;
}

// Digit strings of one length between two others.
std::string same_length(std::string_view low, std::string_view high) {
  if (low.empty()) return "\"\"";
  const std::size_t rest = low.size() - 1;
  const bool from_zero = low.find_first_not_of('0', 1) == std::string_view::npos;
  const bool to_nine = high.find_first_not_of('9', 1) == std::string_view::npos;
  if (from_zero && to_nine) return digit_range(low[0], high[0]) + " " + any_digits(rest);
  if (low[0] == high[0]) {
    return digit_range(low[0], low[0]) + " (" + same_length(low.substr(1), high.substr(1)) + ")";
  }
  std::string out;
  add(out, digit_range(low[0], low[0]) + " (" + same_length(low.substr(1), std::string(rest, '9')) + ")");
  if (low[0] + 1 < high[0]) {
    add(out,
        digit_range(static_cast<char>(low[0] + 1), static_cast<char>(high[0] - 1)) + " " + any_digits(rest));
  }
  add(out, digit_range(high[0], high[0]) + " (" + same_length(std::string(rest, '0'), high.substr(1)) + ")");
  return out;
}

bool is_less(std::string_view a, std::string_view b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

std::string first_of_length(std::size_t length) {
  std::string text(length, '0');
  if (length > 1) text[0] = '1';
  return text;
}

// Whole numbers without sign between two digit strings; no upper one is no bound. "" where there are none.
std::string whole_range(const std::string& low, const std::optional<std::string>& high) {
  if (high && is_less(*high, low)) return "";
  std::string out;
  const std::size_t longest = high ? high->size() : low.size();
  for (std::size_t length = low.size(); length <= longest; ++length) {
    const std::string first = length == low.size() ? low : first_of_length(length);
    const std::string last = high && length == longest ? *high : std::string(length, '9');
    add(out, same_length(first, last));
  }
  if (!high) add(out, fmt::format("[1-9] [0-9]{{{},{}}}", low.size(), std::max(low.size(), kMostDigits - 1)));
  return fmt::format("({})", out);
}

std::string plus_one(std::string digits) {
  std::size_t i = digits.size();
  while (i > 0 && digits[i - 1] == '9') digits[--i] = '0';
  if (i == 0) return digits.insert(0, 1, '1');
  ++digits[i - 1];
  return digits;
}

std::string minus_one(std::string digits) {  // of a positive number
  std::size_t i = digits.size();
  while (digits[i - 1] == '0') digits[--i] = '9';
  --digits[i - 1];
  return digits.size() > 1 && digits[0] == '0' ? digits.substr(1) : digits;
}

struct FractionBound {
  std::string_view digits;  // without zeros at the end
  bool exclusive = false;
};

// Digits behind a point that may still be needed: those at or beyond place i keep to the bounds that the ones
// before have not settled. `may_end` is whether nothing more is needed; the expression is "" where nothing
// can follow.
struct Tail {
  std::string ebnf;
  bool may_end = false;
};

Tail fraction(std::size_t i, const FractionBound* low, const FractionBound* high) {
  const bool low_done = low != nullptr && i >= low->digits.size();
  const bool high_done = high != nullptr && i >= high->digits.size();
  if (low_done && !low->exclusive) low = nullptr;
  if (high_done) {
    // Only zeros keep to it: that is the bound itself, or too little for an exclusive lower one.
    const bool reaches = !high->exclusive && low == nullptr;
    return reaches ? Tail{"\"0\"+", true} : Tail{};
  }
  if (low == nullptr && high == nullptr) return {"[0-9]+", true};
  if (low != nullptr && low_done && high == nullptr) return {"\"0\"* [1-9] [0-9]*", false};

  const char least = low != nullptr && i < low->digits.size() ? low->digits[i] : '0';
  const char most = high != nullptr ? high->digits[i] : '9';
  Tail out{"", low == nullptr};
  const auto step = [&](char first, char last, const FractionBound* next_low,
                        const FractionBound* next_high) {
    if (first > last) return;
    const Tail next = fraction(i + 1, next_low, next_high);
    if (next.ebnf.empty() && !next.may_end) return;
    std::string one = digit_range(first, last);
    if (!next.ebnf.empty()) one += " (" + next.ebnf + ")" + (next.may_end ? "?" : "");
    add(out.ebnf, one);
  };
  if (low != nullptr && high != nullptr && least == most) {
    step(least, least, low, high);
    return out;
  }
  if (low != nullptr && high != nullptr && least > most) return {};
  const char inner_first = low != nullptr ? static_cast<char>(least + 1) : least;
  const char inner_last = high != nullptr ? static_cast<char>(most - 1) : most;
  if (low != nullptr) step(least, least, low, nullptr);
  step(inner_first, inner_last, nullptr, nullptr);
  if (high != nullptr) step(most, most, nullptr, high);
  return out;
}

// One whole part with the fractions that keep to the bounds.
std::string with_fraction(const std::string& whole, const FractionBound* low, const FractionBound* high) {
  const Tail tail = fraction(0, low, high);
  if (tail.ebnf.empty()) return tail.may_end ? fmt::format("\"{}\"", whole) : "";
  return fmt::format("\"{}\" (\".\" ({})){}", whole, tail.ebnf, tail.may_end ? "?" : "");
}

// Numbers without sign.
std::string magnitude_range(const NumberBound& least, const std::optional<NumberBound>& most) {
  const FractionBound low{least.value.fraction, least.exclusive};
  if (!most) {
    std::string out = with_fraction(least.value.whole, &low, nullptr);
    add(out, fmt::format("{} {}", whole_range(plus_one(least.value.whole), std::nullopt), kAnyFraction));
    return out;
  }
  const FractionBound high{most->value.fraction, most->exclusive};
  if (is_less(most->value.whole, least.value.whole)) return "";
  if (least.value.whole == most->value.whole) return with_fraction(least.value.whole, &low, &high);
  std::string out = with_fraction(least.value.whole, &low, nullptr);
  const std::string between = whole_range(plus_one(least.value.whole), minus_one(most->value.whole));
  if (!between.empty()) add(out, fmt::format("{} {}", between, kAnyFraction));
  add(out, with_fraction(most->value.whole, nullptr, &high));
  return out;
}

NumberBound without_sign(NumberBound bound) {
  bound.value.negative = false;
  return bound;
}

std::optional<NumberBound> without_sign(const std::optional<NumberBound>& bound) {
  return bound ? std::optional(without_sign(*bound)) : std::nullopt;
}

}  // namespace

std::string integer_range(std::optional<std::int64_t> least, std::optional<std::int64_t> most) {
  const auto magnitude = [](std::int64_t value) {
    return fmt::format("{}",
                       value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value));
  };
  std::string out;
  if (!least || *least < 0) {
    const std::string low = most && *most < 0 ? magnitude(*most) : "1";
    const std::string below = whole_range(low, least ? std::optional(magnitude(*least)) : std::nullopt);
    if (!below.empty()) add(out, fmt::format("\"-\" {}", below));
  }
  if (!most || *most >= 0) {
    add(out, whole_range(least && *least > 0 ? magnitude(*least) : "0",
                         most ? std::optional(magnitude(*most)) : std::nullopt));
  }
  return fmt::format("({})", out);
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal out;
  if (text.starts_with('-')) {
    out.negative = true;
    text.remove_prefix(1);
  }
  const std::size_t point = std::min(text.find('.'), text.size());
  out.whole = text.substr(0, point);
  if (point < text.size()) out.fraction = text.substr(point + 1);
  const auto is_digits = [](std::string_view part) {
    return part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (out.whole.empty() || !is_digits(out.whole) || !is_digits(out.fraction)) return std::nullopt;
  while (out.fraction.ends_with('0')) out.fraction.pop_back();
  if (out.whole == "0" && out.fraction.empty()) out.negative = false;
  return out;
}

std::string number_range(const std::optional<NumberBound>& least, const std::optional<NumberBound>& most) {
  std::string out;
  if (!least || least->value.negative) {
    // Between -least and -most, or down from zero, which itself is written without a sign.
    const NumberBound low =
        most && (most->value.negative || (most->value.whole == "0" && most->value.fraction.empty()))
            ? without_sign(*most)
            : NumberBound{};
    const std::string below = magnitude_range(low, without_sign(least));
    if (!below.empty()) add(out, fmt::format("\"-\" ({})", below));
  }
  if (!most || !most->value.negative) {
    const NumberBound low = least && !least->value.negative ? *least : NumberBound{};
    add(out, magnitude_range(low, most));
  }
  return out.empty() ? out : fmt::format("({})", out);
}

}  // namespace carat::grammar
