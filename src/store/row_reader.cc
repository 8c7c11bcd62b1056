#include "store/row_reader.h"

#include <algorithm>

namespace carat::store {

Uuid RowReader::uuid() {
  Uuid id;
  const std::span<const std::byte> found = bytes();
  if (found.size() == id.bytes.size()) {
    std::ranges::copy(found, std::as_writable_bytes(std::span(id.bytes)).begin());
  } else {
    wrong("an id has not 16 bytes");
  }
  return id;
}

Sha256Digest RowReader::digest() {
  Sha256Digest digest = {};
  const std::span<const std::byte> found = bytes();
  if (found.size() == digest.size()) {
    std::ranges::copy(found, digest.begin());
  } else {
    wrong("a digest has not 32 bytes");
  }
  return digest;
}

}  // namespace carat::store
