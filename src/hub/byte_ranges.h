#pragma once

#include <cstdint>
#include <vector>

namespace carat::hub {

// Bytes begin..end-1.
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  std::uint64_t size() const { return end - begin; }
  bool operator==(const ByteRange&) const = default;
};

// A set of bytes as sorted ranges that neither touch nor overlap.
class ByteRanges {
 public:
  void add(ByteRange range);  // empty ones count for nothing

  const std::vector<ByteRange>& ranges() const { return ranges_; }
  std::uint64_t size() const;

  // What is not in it of 0..total-1, in parts of at most `most` bytes.
  std::vector<ByteRange> missing(std::uint64_t total, std::uint64_t most) const;

 private:
  std::vector<ByteRange> ranges_;
};

}  // namespace carat::hub
