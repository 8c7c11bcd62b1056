#include "planner/memory_size.h"

#include <array>
#include <charconv>
#include <cmath>

namespace carat::planner {
namespace {

struct Unit {
  std::string_view name;
  double bytes;
};

constexpr std::array<Unit, 6> kUnits = {
    {{"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}}};
constexpr double kMostBytes = 0x1p50;

}  // namespace

Result<std::uint64_t> parse_memory_size(std::string_view what, std::string_view text) {
  double number = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (parsed.ec == std::errc()) {
    std::string_view unit = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
    if (unit.starts_with(' ')) unit.remove_prefix(1);
    for (const Unit& known : kUnits) {
      const double bytes = number * known.bytes;
      // Written so that a NaN is refused too.
      if (unit == known.name && bytes >= 1 && bytes <= kMostBytes) {
        return static_cast<std::uint64_t>(std::llround(bytes));
      }
    }
  }
  return fail(ErrorKind::kUsage, "{}: expected a size such as 16GiB, 24GB or 512MiB, found '{}'", what, text);
}

}  // namespace carat::planner
