#include "session/prompt_hash.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

namespace carat::session {
namespace {

struct Hasher {
  Sha256 hash;

  void number(std::uint64_t value) {
    std::byte bytes[8] = {};
    for (std::byte& byte : bytes) {
      byte = static_cast<std::byte>(value);
      value >>= 8;
    }
    hash.update(bytes);
  }
  void text(std::string_view text) {
    number(text.size());
    hash.update(std::as_bytes(std::span(text)));
  }

  void operator()(const prompt::PlainText& piece) { text(piece.text); }
  void operator()(const prompt::Markup& piece) { text(piece.text); }
  void operator()(const prompt::TokenIds& piece) {
    number(piece.ids.size());
    for (const TokenId id : piece.ids) number(std::bit_cast<std::uint32_t>(id));
  }
  void operator()(const prompt::Image& piece) {
    number(piece.pan_and_scan ? 1 : 0);
    hash.update(piece.picture->digest);
  }
};

}  // namespace

Sha256Digest prompt_hash(std::span<const prompt::Piece> pieces) {
  Hasher hasher;
  for (const prompt::Piece& piece : pieces) {
    hasher.number(piece.index());
    std::visit(hasher, piece);
  }
  return hasher.hash.finish();
}

}  // namespace carat::session
