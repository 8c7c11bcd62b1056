#include "measure/machine_files.h"

#include <algorithm>
#include <charconv>

#include "base/checked_math.h"
#include "base/utf8.h"
#include "parallel/topology.h"

namespace carat::measure {
namespace {

constexpr std::size_t kFileLimit = std::size_t{4}
                                   << 20;  // /proc/cpuinfo has some 1.5 KB for each of many CPUs
constexpr char kUnknown[] = "unknown";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The rest of the first line "key : value", trimmed; empty when there is no such line.
std::string_view value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && trimmed(line.substr(0, colon)) == key) {
      return trimmed(line.substr(colon + 1));
    }
    text.remove_prefix(line.size() + (line.size() < text.size() ? 1 : 0));
  }
  return {};
}

}  // namespace

TextFileReader system_file_reader() {
  return [](const std::string& path) { return read_text_file(path, kFileLimit); };
}

std::string cpu_name(const TextFileReader& read) {
  const auto cpuinfo = read("/proc/cpuinfo");
  const std::string name = cpuinfo ? printable(value_of(*cpuinfo, "model name")) : std::string();
  return name.empty() ? kUnknown : name;
}

std::optional<std::uint64_t> memory_value(std::string_view meminfo, std::string_view key) {
  const std::string_view text = value_of(meminfo, key);
  std::uint64_t kibibytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), kibibytes);
  if (error != std::errc{} || std::string_view(end, text.data() + text.size()) != " kB") return std::nullopt;
  return checked_mul<std::uint64_t>(kibibytes, 1024);
}

std::optional<std::uint64_t> available_memory(const TextFileReader& read) {
  const auto meminfo = read("/proc/meminfo");
  const auto system = meminfo ? memory_value(*meminfo, "MemAvailable") : std::nullopt;
  const auto group = parallel::cgroup_limits(read).memory_left;
  if (system && group) return std::min(*system, *group);
  return system ? system : group;
}

std::string chosen_word(std::string_view choices) {
  const std::size_t open = choices.find('[');
  if (open == std::string_view::npos) return kUnknown;
  const std::size_t close = choices.find(']', open);
  if (close == std::string_view::npos || close == open + 1) return kUnknown;
  return printable(choices.substr(open + 1, close - open - 1));
}

std::string printable(std::string_view text) {
  std::string clean;
  for (const std::string valid = replace_invalid_utf8(text); const char c : valid) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F && c != '|') clean += c;
  }
  return clean;
}

}  // namespace carat::measure
