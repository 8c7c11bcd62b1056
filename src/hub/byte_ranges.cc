#include "hub/byte_ranges.h"

#include <algorithm>

namespace carat::hub {

void ByteRanges::add(ByteRange range) {
  if (range.begin >= range.end) return;
  const auto first = std::ranges::lower_bound(ranges_, range.begin, {}, &ByteRange::end);
  auto last = first;
  for (; last != ranges_.end() && last->begin <= range.end; ++last) {
    range.begin = std::min(range.begin, last->begin);
    range.end = std::max(range.end, last->end);
  }
  ranges_.insert(ranges_.erase(first, last), range);
}

std::uint64_t ByteRanges::size() const {
  std::uint64_t sum = 0;
  for (const ByteRange& range : ranges_) sum += range.size();
  return sum;
}

std::vector<ByteRange> ByteRanges::missing(std::uint64_t total, std::uint64_t most) const {
  std::vector<ByteRange> out;
  const auto add_gap = [&](std::uint64_t begin, std::uint64_t end) {
    while (begin < end) {
      const std::uint64_t size = std::min(most, end - begin);
      out.push_back({begin, begin + size});
      begin += size;
    }
  };
  std::uint64_t next = 0;
  for (const ByteRange& range : ranges_) {
    add_gap(next, std::min(range.begin, total));
    next = range.end;
  }
  add_gap(next, total);
  return out;
}

}  // namespace carat::hub
