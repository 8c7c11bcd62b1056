#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carat::grammar {

// EBNF of the integers in [least, most], without leading zeros; nothing on a side is a bound of 18
// digits. least <= most.
std::string integer_range(std::optional<std::int64_t> least, std::optional<std::int64_t> most);

// A decimal number as digits: "-", then those before and behind the point.
struct Decimal {
  bool negative = false;
  std::string whole = "0";  // without leading zeros
  std::string fraction;     // without zeros at the end
};

// nullopt for texts with an exponent.
std::optional<Decimal> parse_decimal(std::string_view text);

struct NumberBound {
  Decimal value;
  bool exclusive = false;
};

// EBNF of the numbers in plain notation (no exponent) between the bounds; empty where there are none.
std::string number_range(const std::optional<NumberBound>& least, const std::optional<NumberBound>& most);

}  // namespace carat::grammar
