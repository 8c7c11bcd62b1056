#include "model/vision_tower.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"

namespace carat::model {
namespace {

using backend::LinearCall;
using tensor::ConstMatrixF32;
using tensor::ElementType;
using tensor::MatrixF32;

Result<> check_running(const std::stop_token& stop) {
  if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
  return {};
}

// A channel's value of every byte, as the reference computes it in f32.
std::array<float, 256> channel_values(float mean, float std) {
  std::array<float, 256> values;
  for (std::size_t byte = 0; byte < values.size(); ++byte) {
    values[byte] = (static_cast<float>(byte) * (1.0F / 255.0F) - mean) / std;
  }
  return values;
}

}  // namespace

VisionTower::VisionTower(const VisionConfig& config, backend::Backend& backend, VisionPrecision precision)
    : config_(config), backend_(backend), precision_(precision) {}

Result<std::unique_ptr<VisionTower>> VisionTower::load(const VisionTensors& tensors,
                                                       backend::Backend& backend, VisionPrecision precision,
                                                       const LoadProgress& progress,
                                                       const std::stop_token& stop) {
  using enum VisionTensorId;
  const VisionConfig& config = tensors.config();
  std::unique_ptr<VisionTower> tower(new VisionTower(config, backend, precision));
  // First and last layer are a hundredth of the work: they stay as exact as the precision allows.
  const ElementType outer = precision == VisionPrecision::kF32 ? ElementType::kF32 : ElementType::kBF16;
  CARAT_TRY(const VisionMatrix patches, read_matrix(tensors, kPatchEmbedding, kPatchBias, 0));
  CARAT_TRY(tower->patch_embedding_, pack(backend, patches, outer));
  CARAT_TRY(tower->positions_, tensors.values(kPositions));
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    CARAT_TRY_VOID(check_running(stop));
    CARAT_TRY(VisionBlock block, VisionBlock::load(tensors, layer, backend, precision));
    tower->blocks_.push_back(std::move(block));
    if (progress) progress(tensors.stored_bytes() * (layer + 1) / config.layers, tensors.stored_bytes());
  }
  CARAT_TRY(tower->post_norm_, tensors.values(kPostNorm));
  CARAT_TRY(tower->post_norm_bias_, tensors.values(kPostNormBias));
  CARAT_TRY(tower->soft_token_norm_, tensors.values(kSoftTokenNorm));
  VisionMatrix projection{
      .name = tensors.tensor(kProjection).name, .rows = config.width, .columns = config.d_model};
  CARAT_TRY(projection.values, tensors.values(kProjection));
  projection.transpose();
  CARAT_TRY(tower->projection_, pack(backend, projection, outer));
  return tower;
}

std::size_t VisionTower::weight_bytes() const {
  std::size_t bytes = patch_embedding_->bytes() + projection_->bytes();
  bytes += (positions_.size() + post_norm_.size() + post_norm_bias_.size() + soft_token_norm_.size()) *
           sizeof(float);
  for (const VisionBlock& block : blocks_) bytes += block.weight_bytes();
  return bytes;
}

Result<> VisionTower::encode(const RgbImage& image, const std::stop_token& stop, MatrixF32 out) {
  CARAT_CHECK(image.width == config_.image_size && image.height == config_.image_size);
  CARAT_CHECK(image.pixels.size() == 3 * image.width * image.height);
  CARAT_CHECK(out.rows() == config_.tokens() && out.columns() == config_.d_model);
  const MatrixF32 x = residual_.resized(config_.patches(), config_.width);
  embed_patches(image, x);
  for (const VisionBlock& block : blocks_) {
    CARAT_TRY_VOID(check_running(stop));
    block.forward(backend_, scratch_, x);
  }
  backend_.layer_norm(x, post_norm_, post_norm_bias_, config_.norm_epsilon, x);
  project(x, out);
  return {};
}

// The patches as rows of a matrix, which a linear layer then embeds: a convolution whose stride is its size.
void VisionTower::embed_patches(const RgbImage& image, MatrixF32 x) {
  std::array<std::array<float, 256>, 3> values;
  for (std::size_t c = 0; c < values.size(); ++c) values[c] = channel_values(config_.mean[c], config_.std[c]);
  const std::size_t side = config_.patches_per_side();
  const std::size_t patch = config_.patch_size;
  for (std::size_t first = 0; first < x.rows(); first += kVisionChunk) {
    const std::size_t count = std::min(kVisionChunk, x.rows() - first);
    const MatrixF32 unfolded = unfolded_.resized(count, config_.patch_values());
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t top = (first + i) / side * patch;
      const std::size_t left = (first + i) % side * patch;
      float* out = unfolded.row(i).data();
      for (std::size_t c = 0; c < values.size(); ++c) {
        for (std::size_t y = top; y < top + patch; ++y) {
          const std::uint8_t* pixel = image.pixels.data() + (y * image.width + left) * 3 + c;
          for (std::size_t dx = 0; dx < patch; ++dx) *out++ = values[c][pixel[3 * dx]];
        }
      }
    }
    backend_.linear({unfolded, {}, linear_rounding(precision_)},
                    std::array{LinearCall{patch_embedding_.get(), x.slice_rows(first, count)}});
  }
  backend_.add(x, ConstMatrixF32(positions_.data(), config_.patches(), config_.width));
}

// Averages squares of patches, then norm and projection.
void VisionTower::project(ConstMatrixF32 x, MatrixF32 out) {
  const std::size_t side = config_.patches_per_side();
  const std::size_t pool = side / config_.tokens_per_side;
  const MatrixF32 pooled = pooled_.resized(config_.tokens(), config_.width);
  for (std::size_t t = 0; t < pooled.rows(); ++t) {
    const std::size_t top = t / config_.tokens_per_side * pool;
    const std::size_t left = t % config_.tokens_per_side * pool;
    const std::span<float> sum = pooled.row(t);
    std::ranges::fill(sum, 0.0F);
    for (std::size_t i = 0; i < pool * pool; ++i) {
      const std::span<const float> patch = x.row((top + i / pool) * side + left + i % pool);
      for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += patch[c];
    }
    for (float& value : sum) value /= static_cast<float>(pool * pool);
  }
  backend_.rms_norm(pooled, soft_token_norm_, config_.norm_epsilon, pooled);
  backend_.linear({pooled, {}, linear_rounding(precision_)}, std::array{LinearCall{projection_.get(), out}});
}

}  // namespace carat::model
