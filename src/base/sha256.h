#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace carat {

using Sha256Digest = std::array<std::byte, 32>;

// SHA-256 of bytes that come piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  Sha256Digest finish();  // once, after the last update

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Sha256Digest sha256(std::span<const std::byte> bytes);

// Sixty-four lower-case hexadecimal digits.
std::string to_hex(const Sha256Digest& digest);

// The reverse; nullopt for every other text.
std::optional<Sha256Digest> digest_from_hex(std::string_view text);

}  // namespace carat
