#include "base/nearest_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace carat {
namespace {

constexpr std::size_t kLongestName = 64;  // longer ones are no typing mistake

std::string folded(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '-' || c == '_') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

// Optimal string alignment distance.
std::size_t edits(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

// More edits than this are another name.
std::size_t most_edits(const std::string& wanted) { return std::max<std::size_t>(1, wanted.size() / 3); }

}  // namespace

std::optional<std::string_view> nearest_name(std::string_view name, std::span<const std::string_view> known) {
  if (name.empty() || name.size() > kLongestName) return std::nullopt;
  const std::string wanted = folded(name);
  std::optional<std::string_view> best;
  std::size_t fewest = most_edits(wanted) + 1;
  for (const std::string_view candidate : known) {
    if (candidate.size() > kLongestName) continue;
    const std::size_t distance = edits(wanted, folded(candidate));
    if (distance < fewest) {
      fewest = distance;
      best = candidate;
    }
  }
  return best;
}

std::vector<std::string_view> nearest_names(std::string_view name, std::span<const std::string_view> known,
                                            std::size_t most) {
  if (name.empty() || name.size() > kLongestName) return {};
  const std::string wanted = folded(name);
  std::vector<std::pair<std::size_t, std::size_t>>
      found;  // edits and place in the list, where ties keep its order
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (known[i].size() > kLongestName) continue;
    const std::string other = folded(known[i]);
    const std::size_t distance = other.starts_with(wanted) ? 0 : edits(wanted, other);
    if (distance <= most_edits(wanted)) found.emplace_back(distance, i);
  }
  std::ranges::sort(found);
  std::vector<std::string_view> names;
  for (const auto& [distance, i] : found) {
    if (names.size() < most && distance <= found.front().first + 1) names.push_back(known[i]);
  }
  return names;
}

std::string did_you_mean(const std::vector<std::string_view>& names, std::string_view separator) {
  if (names.empty()) return "";
  std::string out = std::string(separator) + "did you mean ";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " or " : ", ";
    out += fmt::format("'{}'", names[i]);
  }
  return out + "?";
}

}  // namespace carat
