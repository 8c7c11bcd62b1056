#pragma once

#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/token_id.h"

namespace carat::tokenizer {

// Reads what tools/make_tokenizer_fixture.py and tools/make_prompt_fixture.py write: numbers as LEB128, texts
// and lists after their length. Throws, and so fails the test, at the end of the file.
class FixtureReader {
 public:
  explicit FixtureReader(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    bytes_ = {std::istreambuf_iterator<char>(file), {}};
  }

  bool at_end() const { return at_ == bytes_.size(); }

  std::string take(std::size_t count) {
    const std::string out = bytes_.substr(at_, count);
    at_ += count;
    return out;
  }

  std::size_t number() {
    std::size_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_.at(at_++));
      value |= std::size_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
  }

  std::string text() { return take(number()); }

  std::vector<TokenId> ids() {
    std::vector<TokenId> out(number());
    for (TokenId& id : out) id = static_cast<TokenId>(number());
    return out;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

}  // namespace carat::tokenizer
