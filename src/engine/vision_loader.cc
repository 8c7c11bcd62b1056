#include "engine/vision_loader.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

namespace carat::engine {
namespace {

// Bytes of each tensor that go into the fingerprint: whole vectors, the first rows of matrices.
constexpr std::uint64_t kSampleBytes = 8192;

}  // namespace

Result<model::VisionTower*> VisionLoader::tower(const std::stop_token& stop) {
  if (!tower_) {
    CARAT_TRY(tower_, model::VisionTower::load(*checkpoint_.vision(), backend_, precision_, {}, stop));
  }
  return tower_.get();
}

Result<Sha256Digest> VisionLoader::fingerprint() {
  const std::scoped_lock lock(fingerprint_mutex_);
  if (fingerprint_) return *fingerprint_;
  const model::VisionTensors& tensors = *checkpoint_.vision();
  const model::VisionConfig& config = tensors.config();
  Sha256 hash;
  const std::string shape = fmt::format(
      "{} {} {} {} {} {} {} {} {} {} {} {}", config.image_size, config.patch_size, config.width,
      config.layers, config.heads, config.ffn, config.tokens_per_side, config.d_model, config.norm_epsilon,
      fmt::join(config.mean, " "), fmt::join(config.std, " "), static_cast<int>(precision_));
  hash.update(std::as_bytes(std::span(shape)));
  std::vector<std::byte> sample;
  for (const model::VisionTensorInfo& tensor : model::vision_tensor_table()) {
    for (std::size_t layer = 0; layer < (tensor.per_layer ? config.layers : 1); ++layer) {
      const tensor::StoredTensor& stored = tensors.tensor(tensor.id, layer);
      const std::uint64_t bytes = stored.rows * tensor::row_bytes(stored.type, stored.columns).value_or(0);
      sample.resize(static_cast<std::size_t>(std::min(bytes, kSampleBytes)));
      CARAT_TRY_VOID(stored.source->read_at(stored.offset, sample));
      hash.update(sample);
    }
  }
  fingerprint_ = hash.finish();
  return *fingerprint_;
}

}  // namespace carat::engine
