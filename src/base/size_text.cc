#include "base/size_text.h"

#include <fmt/format.h>

namespace carat {
namespace {

// What would be printed as 1000.0 of a unit is 1.00 of the next.
constexpr double kAlmostOne = 0.99995;

}  // namespace

std::string file_size_text(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value >= 1e9 * kAlmostOne) return fmt::format("{:.2f} GB", value / 1e9);
  if (value >= 1e6 * kAlmostOne) return fmt::format("{:.1f} MB", value / 1e6);
  if (value >= 1e3) return fmt::format("{:.1f} kB", value / 1e3);
  return fmt::format("{} bytes", bytes);
}

std::string memory_size_text(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value >= 0x1p30) return fmt::format("{:.2f} GiB", value / 0x1p30);
  return fmt::format("{:.1f} MiB", value / 0x1p20);
}

}  // namespace carat
