#include "store/key_store.h"

namespace carat::store {
namespace {

constexpr std::uint32_t kAdmin = static_cast<std::uint32_t>(KeyScope::kAdmin);

// The bit of a name; 0 for an unknown one.
std::uint32_t bit_of(std::string_view name) {
  std::uint32_t bit = 1;
  for (const std::string_view known : kKeyScopeNames) {
    if (known == name) return bit;
    bit <<= 1;
  }
  return 0;
}

}  // namespace

bool KeyScopes::has(KeyScope scope) const {
  return (bits & (static_cast<std::uint32_t>(scope) | kAdmin)) != 0;
}

std::string to_text(KeyScopes scopes) {
  std::string text;
  for (const std::string_view name : kKeyScopeNames) {
    if ((scopes.bits & bit_of(name)) == 0) continue;
    if (!text.empty()) text += ',';
    text += name;
  }
  return text;
}

std::optional<KeyScopes> parse_key_scopes(std::string_view text) {
  KeyScopes scopes;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::uint32_t bit = bit_of(text.substr(0, comma));
    if (bit == 0 || (scopes.bits & bit) != 0) return std::nullopt;
    scopes.bits |= bit;
    if (comma == std::string_view::npos) return scopes;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace carat::store
