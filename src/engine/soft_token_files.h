#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"

namespace carat::engine {

// The soft tokens of one view of an image, [tokens, d_model].
using SoftTokens = std::vector<float>;

// Soft tokens on disk, so that the same picture costs nothing in a later run: one file each, for the owner
// alone, in a folder whose total size is bounded. What is there may be gone or spoilt at any time: a file
// counts only if its header and checksum are right, and writing is never worth an error.
class SoftTokenFiles {
 public:
  SoftTokenFiles(std::filesystem::path folder, std::size_t max_bytes)
      : folder_(std::move(folder)), max_bytes_(max_bytes) {}

  // Null when there is no whole file for that key with so many values.
  std::shared_ptr<const SoftTokens> find(const Sha256Digest& key, std::size_t values) const;

  // Files that were not used for the longest time make room.
  void keep(const Sha256Digest& key, const SoftTokens& tokens) const;

 private:
  std::filesystem::path path_of(const Sha256Digest& key) const;
  void make_room(std::size_t bytes) const;

  std::filesystem::path folder_;
  std::size_t max_bytes_;
};

}  // namespace carat::engine
