#include "apps/lora_option.h"

#include <charconv>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

namespace carat::apps {
namespace {

struct PathAndWeight {
  std::string path;
  float weight = 1.0F;
};

// A path may hold '=' too: what exists as it stands is no weight.
Result<PathAndWeight> parse(const std::string& text) {
  std::error_code ignored;
  const std::size_t sign = text.rfind('=');
  if (sign == std::string::npos || std::filesystem::exists(text, ignored)) return PathAndWeight{text};
  const std::string_view number = std::string_view(text).substr(sign + 1);
  const char* end = std::to_address(number.end());
  PathAndWeight parsed{text.substr(0, sign)};
  const auto read = std::from_chars(std::to_address(number.begin()), end, parsed.weight);
  if (read.ec == std::errc() && read.ptr == end && std::isfinite(parsed.weight)) return parsed;
  return fail(ErrorKind::kUsage, "--lora: expected PATH or PATH=WEIGHT such as my-adapter=0.5, found '{}'",
              text);
}

}  // namespace

void add_lora_option(CLI::App& command, std::vector<std::string>& adapters) {
  command
      .add_option(
          "--lora", adapters,
          "a LoRA adapter to apply, a PEFT folder or a GGUF file, and how strongly (1 as trained); may be "
          "given several times")
      ->type_name("PATH[=WEIGHT]")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Model");
}

Result<std::vector<engine::AdapterToLoad>> open_adapters(std::span<const std::string> adapters) {
  std::vector<engine::AdapterToLoad> opened;
  for (const std::string& text : adapters) {
    CARAT_TRY(const PathAndWeight parsed, parse(text));
    CARAT_TRY(model::AdapterFile file, model::AdapterFile::open(parsed.path));
    opened.push_back({std::move(file), parsed.weight});
  }
  return opened;
}

}  // namespace carat::apps
