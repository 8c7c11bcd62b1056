#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace carat {

// Bytes at offsets: a file on disk, or memory in tests and fuzzers. Reads are positional, so several threads
// may read one source at once. A file is read, not mapped: one that shrinks in use gives an Error, not
// SIGBUS.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual const std::string& name() const = 0;  // for messages: the path as the user gave it
  virtual std::uint64_t size() const = 0;       // bytes, as of opening

  // Fills `out` from `offset`; kInvalidModel when the source ends before that, kFailed when reading fails.
  virtual Result<> read_at(std::uint64_t offset, std::span<std::byte> out) const = 0;
};

// kNotFound when there is no such file, kFailed when it cannot be read (a directory, a pipe, no permission).
// Never waits, whatever the path leads to.
Result<std::unique_ptr<ByteSource>> open_file(const std::string& path);

// All bytes of such a file; kInvalidModel when they are more than `limit`.
Result<std::string> read_whole_file(const std::string& path, std::size_t limit);

std::unique_ptr<ByteSource> memory_source(std::string name, std::vector<std::byte> bytes);

}  // namespace carat
