#include "hub/file_names.h"

#include <algorithm>
#include <array>

namespace carat::hub {
namespace {

constexpr std::size_t kMostNameBytes = 96;  // leaves room for ".partial", ".part" and the like

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

std::optional<Shard> shard_of(std::string_view stem) {
  constexpr std::string_view kPattern = "-00000-of-00000";
  if (stem.size() <= kPattern.size()) return std::nullopt;
  const std::string_view tail = stem.substr(stem.size() - kPattern.size());
  for (std::size_t i = 0; i < tail.size(); ++i) {
    if (kPattern[i] == '0' ? !is_digit(tail[i]) : kPattern[i] != tail[i]) return std::nullopt;
  }
  return Shard{stem.substr(0, stem.size() - tail.size()), tail.substr(1, 5)};
}

bool is_precision(std::string_view part) {
  if (part == "bf16" || part == "f16" || part == "f32" || part == "sfp8") return true;
  if (part.starts_with('i')) part.remove_prefix(1);
  return part.size() >= 2 && part[0] == 'q' && is_digit(part[1]);
}

std::string precision_of(std::string_view stem) {
  const std::size_t border = stem.find_last_of("-.");
  if (border == std::string_view::npos) return "";
  std::string part = lower_case(stem.substr(border + 1));
  return is_precision(part) ? part : "";
}

bool is_projector_name(std::string_view file_name) {
  const std::string name = lower_case(file_name);
  return name.ends_with(".gguf") && name.find("mmproj") != std::string::npos;
}

std::size_t projector_rank(std::string_view precision) {
  constexpr auto kOrder = std::to_array<std::string_view>({"f16", "bf16", "f32", "q8_0"});
  return static_cast<std::size_t>(std::ranges::find(kOrder, precision) - kOrder.begin());
}

bool is_safe_name(std::string_view part) {
  return !part.empty() && part.size() <= kMostNameBytes && part.front() != '.' &&
         std::ranges::all_of(
             part, [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-'; });
}

}  // namespace carat::hub
