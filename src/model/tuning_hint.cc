#include <algorithm>
#include <cctype>
#include <string>

#include "model/read_config.h"

namespace carat::model {

std::optional<bool> instruction_tuned_by_name(std::string_view name) {
  std::string word;
  const auto verdict = [&]() -> std::optional<bool> {
    if (word == "it" || word == "instruct" || word == "chat") return true;
    if (word == "pt" || word == "base" || word == "pretrained") return false;
    return std::nullopt;
  };
  for (const char character : name) {
    const auto byte = static_cast<unsigned char>(character);
    if (std::isalnum(byte) != 0) {
      word.push_back(static_cast<char>(std::tolower(byte)));
      continue;
    }
    if (const auto found = verdict()) return found;
    word.clear();
  }
  return verdict();
}

}  // namespace carat::model
