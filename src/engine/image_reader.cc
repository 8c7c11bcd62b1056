#include "engine/image_reader.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "images/prepare.h"
#include "tensor/matrix.h"

namespace carat::engine {
namespace {

images::PanAndScanOptions pan_and_scan_of(const prompt::Image& image) {
  images::PanAndScanOptions options;
  options.enabled = image.pan_and_scan;
  return options;
}

// Under which the soft tokens of a view are kept for an owner, in memory and on disk.
Sha256Digest cache_key(const Sha256Digest& view, std::string_view owner) {
  if (owner.empty()) return view;
  Sha256 hash;
  hash.update(view);
  hash.update(std::as_bytes(std::span(owner)));
  return hash.finish();
}

}  // namespace

ImageReader::ImageReader(VisionLoader& loader, const ImageCacheOptions& options)
    : loader_(loader), max_memory_bytes_(options.max_memory_bytes) {
  if (!options.folder.empty()) files_.emplace(options.folder, options.max_disk_bytes);
}

std::size_t ImageReader::crops(const prompt::Image& image) {
  const RgbImage& pixels = image.picture->pixels;
  return images::pan_and_scan(pixels.width, pixels.height, pan_and_scan_of(image)).size();
}

// The whole image looks the same with crops and without, and how it is cut follows from its size.
Result<Sha256Digest> ImageReader::key(const prompt::Image& image, std::size_t view) {
  CARAT_TRY(const Sha256Digest tower, loader_.fingerprint());
  Sha256 hash;
  hash.update(tower);
  hash.update(image.picture->digest);
  const std::array<std::uint64_t, 1> number = {view};
  hash.update(std::as_bytes(std::span(number)));
  return hash.finish();
}

Result<std::shared_ptr<const SoftTokens>> ImageReader::read(const prompt::Image& image, std::size_t view,
                                                            std::string_view owner,
                                                            const std::stop_token& stop) {
  CARAT_TRY(const Sha256Digest view_key, key(image, view));
  const Sha256Digest wanted = cache_key(view_key, owner);
  if (auto found = find(wanted)) return found;
  CARAT_TRY(model::VisionTower * tower, loader_.tower(stop));
  const std::size_t d_model = config().d_model;
  const std::vector<RgbImage> views =
      images::prepare(image.picture->pixels, config().image_size, pan_and_scan_of(image));
  auto tokens = std::make_shared<SoftTokens>(config().tokens() * d_model);
  CARAT_TRY_VOID(
      tower->encode(views.at(view), stop, tensor::MatrixF32(tokens->data(), config().tokens(), d_model)));
  if (files_) files_->keep(wanted, *tokens);
  remember(wanted, tokens);
  return tokens;
}

std::shared_ptr<const SoftTokens> ImageReader::find(const Sha256Digest& key) {
  const auto found = std::ranges::find(latest_, key, &Entry::key);
  if (found != latest_.end()) {
    latest_.splice(latest_.begin(), latest_, found);
    return found->tokens;
  }
  if (!files_) return nullptr;
  auto tokens = files_->find(key, config().tokens() * config().d_model);
  if (tokens) remember(key, tokens);
  return tokens;
}

void ImageReader::remember(const Sha256Digest& key, std::shared_ptr<const SoftTokens> tokens) {
  latest_.push_front({key, std::move(tokens)});
  const std::size_t bytes = config().tokens() * config().d_model * sizeof(float);
  while (latest_.size() > 1 && latest_.size() * bytes > max_memory_bytes_) latest_.pop_back();
}

}  // namespace carat::engine
