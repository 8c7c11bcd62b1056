#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/token_id.h"

namespace carat::tokenizer {

// The texts of all pieces, one after the other in one block of memory.
class PieceTexts {
 public:
  void reserve(std::size_t pieces, std::size_t bytes) {
    ends_.reserve(pieces + 1);
    bytes_.reserve(bytes);
  }

  void append(std::string_view text) {
    bytes_.append(text);
    ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  }

  std::size_t size() const { return ends_.size() - 1; }

  std::string_view operator[](TokenId id) const {
    const auto i = static_cast<std::size_t>(id);
    return {bytes_.data() + ends_[i], ends_[i + 1] - ends_[i]};
  }

 private:
  std::string bytes_;                      // under 4 GiB: the builder of the vocabulary checks
  std::vector<std::uint32_t> ends_ = {0};  // piece i is bytes ends_[i] .. ends_[i + 1]
};

}  // namespace carat::tokenizer
