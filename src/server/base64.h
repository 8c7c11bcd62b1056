#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace carat::server {

// The bytes that a Base64 text stands for (RFC 4648, the usual alphabet or that for URLs; padding may be
// missing). nullopt for any other character, white space too, and for a length that no bytes have.
std::optional<std::vector<std::byte>> decode_base64(std::string_view text);

}  // namespace carat::server
