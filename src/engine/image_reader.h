#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

#include "base/result.h"
#include "base/sha256.h"
#include "engine/soft_token_files.h"
#include "engine/vision_loader.h"
#include "prompt/image.h"

namespace carat::engine {

// Where soft tokens are kept beside memory.
struct ImageCacheOptions {
  std::filesystem::path folder = {};  // empty: not on disk, as temporary conversations want it
  std::size_t max_disk_bytes = std::size_t{1} << 30;
  std::size_t max_memory_bytes = std::size_t{256} << 20;
};

// Turns the images of prompts into soft tokens and keeps those of the latest images, for each owner by
// himself: how soon an answer comes must not tell whether somebody else has sent the same picture. A view of
// an image is the whole of it (0) or one of its crops.
class ImageReader {
 public:
  // The loader must outlive this object.
  ImageReader(VisionLoader& loader, const ImageCacheOptions& options);

  const model::VisionConfig& config() const { return loader_.config(); }

  // Views beside that of the whole image.
  static std::size_t crops(const prompt::Image& image);

  // Stands for the soft tokens of a view: equal keys, equal tokens. Any thread may ask.
  Result<Sha256Digest> key(const prompt::Image& image, std::size_t view);

  // [tokens, d_model], for that owner (empty: whoever runs this program); errors are those of the tower,
  // kInterrupted among them.
  Result<std::shared_ptr<const SoftTokens>> read(const prompt::Image& image, std::size_t view,
                                                 std::string_view owner, const std::stop_token& stop);

 private:
  struct Entry {
    Sha256Digest key;
    std::shared_ptr<const SoftTokens> tokens;
  };

  std::shared_ptr<const SoftTokens> find(const Sha256Digest& key);
  void remember(const Sha256Digest& key, std::shared_ptr<const SoftTokens> tokens);

  VisionLoader& loader_;
  std::size_t max_memory_bytes_;
  std::optional<SoftTokenFiles> files_;
  std::list<Entry> latest_;  // used last comes first
};

}  // namespace carat::engine
