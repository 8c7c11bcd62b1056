#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"
#include "store/conversation_store.h"

namespace carat::store {

struct BlobInfo {
  Sha256Digest digest = {};
  std::string media_type;
  std::int64_t size = 0;  // bytes
};

struct Blob {
  BlobInfo info;
  std::vector<std::byte> data;
};

// Bytes by their SHA-256, counted per owner: the same bytes of two owners are two blobs, so that nobody
// learns what others have. A blob lives as long as a message refers to it; one that no message ever referred
// to is swept after a while (see Store::sweep).
class BlobStore {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{64} << 20;  // of one blob

  virtual ~BlobStore() = default;

  // Bytes that are there already keep their media type and take no more room. kQuota beyond the owner's
  // quota.
  virtual Result<BlobInfo> put(const OwnerId& owner, const std::string& media_type,
                               std::span<const std::byte> data) = 0;
  // kFailed when the bytes are no longer those of the digest.
  virtual Result<Blob> get(const OwnerId& owner, const Sha256Digest& digest) = 0;
  virtual Result<std::int64_t> used_bytes(const OwnerId& owner) = 0;
};

}  // namespace carat::store
