#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/output_file.h"
#include "base/result.h"

namespace carat::quantize {

// A file that is written by slabs: while one slab is being written, the next one is being filled. Whoever
// fills calls write_full() from any one thread at the same time.
class WriteBehind {
 public:
  static constexpr std::size_t kSlabBytes = std::size_t{8} << 20;

  explicit WriteBehind(OutputFile& file) : file_(file) {}

  // The place of the next `bytes` of the file; good until the next call of another function than
  // write_full().
  std::span<std::byte> extend(std::size_t bytes);
  void append(std::span<const std::byte> bytes);
  // Once what was filled is worth writing, the slabs change places. The other one has been written by then.
  void turn();
  // Writes the slab that is full, if there is one.
  Result<> write_full();
  // Writes all that is left.
  Result<> finish();

  std::uint64_t size() const { return size_; }  // bytes so far, written or not

 private:
  OutputFile& file_;
  std::vector<std::byte> filling_;
  std::vector<std::byte> full_;
  std::uint64_t size_ = 0;
};

}  // namespace carat::quantize
