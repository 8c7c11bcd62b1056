#include "model/vision_tower.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <utility>

#include "backend/reference/reference_backend.h"
#include "formats/test_files.h"
#include "model/checkpoint.h"
#include "model/test_tiny_model.h"
#include "model/test_tiny_vision.h"

namespace carat::model {
namespace {

using Rows = std::vector<std::vector<double>>;
using enum VisionTensorId;

RgbImage random_image(std::size_t side, unsigned seed) {
  RgbImage image{.width = side, .height = side, .pixels = std::vector<std::uint8_t>(3 * side * side)};
  std::mt19937 random(seed);
  for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(random());
  return image;
}

// The tower once more as plain loops over the values that the file holds.
class PlainTower {
 public:
  explicit PlainTower(const TinyVision& tower) : tower_(tower), c_(tower.config) {}

  Rows encode(const RgbImage& image) const {
    Rows x = patches(image);
    for (std::size_t layer = 0; layer < c_.layers; ++layer) {
      add(x, attention(layer_norm(x, kPreAttnNorm, kPreAttnNormBias, layer), layer));
      Rows hidden = linear(layer_norm(x, kPreMlpNorm, kPreMlpNormBias, layer), kFc1, kFc1Bias, layer);
      for (auto& row : hidden) {
        for (double& h : row) {
          h = 0.5 * h * (1 + std::tanh(std::sqrt(2 / M_PI) * (h + 0.044715 * h * h * h)));
        }
      }
      add(x, linear(hidden, kFc2, kFc2Bias, layer));
    }
    return project(layer_norm(x, kPostNorm, kPostNormBias, 0));
  }

 private:
  double at(VisionTensorId id, std::size_t layer, std::size_t row, std::size_t column) const {
    std::vector<float>& values = values_[{id, layer}];
    if (values.empty()) values = tower_.values(info(id), layer);
    return values[row * extent(info(id).columns, c_) + column];
  }
  static void add(Rows& x, const Rows& y) {
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (std::size_t i = 0; i < x[t].size(); ++i) x[t][i] += y[t][i];
    }
  }
  Rows linear(const Rows& x, VisionTensorId weight, VisionTensorId bias, std::size_t layer) const {
    Rows out;
    for (const auto& row : x) {
      out.emplace_back();
      for (std::size_t r = 0; r < extent(info(weight).rows, c_); ++r) {
        double sum = at(bias, layer, 0, r);
        for (std::size_t i = 0; i < row.size(); ++i) sum += at(weight, layer, r, i) * row[i];
        out.back().push_back(sum);
      }
    }
    return out;
  }
  Rows layer_norm(Rows x, VisionTensorId gain, VisionTensorId bias, std::size_t layer) const {
    for (auto& row : x) {
      double mean = 0;
      double variance = 0;
      for (const double v : row) mean += v / static_cast<double>(row.size());
      for (const double v : row) variance += (v - mean) * (v - mean) / static_cast<double>(row.size());
      for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = (row[i] - mean) / std::sqrt(variance + c_.norm_epsilon) * at(gain, layer, 0, i) +
                 at(bias, layer, 0, i);
      }
    }
    return x;
  }
  Rows attention(const Rows& x, std::size_t layer) const {
    const Rows q = linear(x, kQProj, kQBias, layer);
    const Rows k = linear(x, kKProj, kKBias, layer);
    const Rows v = linear(x, kVProj, kVBias, layer);
    Rows out(x.size(), std::vector<double>(c_.width));
    const std::size_t dim = c_.head_dim();
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (std::size_t begin = 0; begin < c_.width; begin += dim) {
        std::vector<double> weights;
        double sum = 0;
        for (std::size_t s = 0; s < x.size(); ++s) {
          double score = 0;
          for (std::size_t i = begin; i < begin + dim; ++i) score += q[t][i] * k[s][i];
          weights.push_back(std::exp(score / std::sqrt(static_cast<double>(dim))));
          sum += weights.back();
        }
        for (std::size_t s = 0; s < x.size(); ++s) {
          for (std::size_t i = begin; i < begin + dim; ++i) out[t][i] += weights[s] / sum * v[s][i];
        }
      }
    }
    return linear(out, kOutProj, kOutBias, layer);
  }
  Rows patches(const RgbImage& image) const {
    Rows x;
    for (std::size_t p = 0; p < c_.patches(); ++p) {
      x.emplace_back();
      for (std::size_t r = 0; r < c_.width; ++r) {
        double sum = at(kPatchBias, 0, 0, r) + at(kPositions, 0, p, r);
        for (std::size_t i = 0; i < c_.patch_values(); ++i) {
          const std::size_t channel = i / (c_.patch_size * c_.patch_size);
          const std::size_t y = p / c_.patches_per_side() * c_.patch_size + i / c_.patch_size % c_.patch_size;
          const std::size_t column = p % c_.patches_per_side() * c_.patch_size + i % c_.patch_size;
          const double value = image.pixels[(y * image.width + column) * 3 + channel] / 255.0;
          sum += at(kPatchEmbedding, 0, r, i) * (value - c_.mean[channel]) / c_.std[channel];
        }
        x.back().push_back(sum);
      }
    }
    return x;
  }
  Rows project(const Rows& x) const {
    const std::size_t side = c_.patches_per_side();
    const std::size_t pool = side / c_.tokens_per_side;
    Rows out;
    for (std::size_t t = 0; t < c_.tokens(); ++t) {
      std::vector<double> mean(c_.width);
      for (std::size_t p = 0; p < x.size(); ++p) {
        if (p / side / pool != t / c_.tokens_per_side || p % side / pool != t % c_.tokens_per_side) continue;
        for (std::size_t i = 0; i < c_.width; ++i) mean[i] += x[p][i] / static_cast<double>(pool * pool);
      }
      double square = 0;
      for (const double v : mean) square += v * v / static_cast<double>(c_.width);
      out.emplace_back(c_.d_model);
      for (std::size_t i = 0; i < c_.width; ++i) {
        const double normed = mean[i] / std::sqrt(square + c_.norm_epsilon) * at(kSoftTokenNorm, 0, 0, i);
        for (std::size_t o = 0; o < c_.d_model; ++o) out.back()[o] += normed * at(kProjection, 0, i, o);
      }
    }
    return out;
  }

  const TinyVision& tower_;
  const VisionConfig& c_;
  mutable std::map<std::pair<VisionTensorId, std::size_t>, std::vector<float>> values_;
};

class VisionTowerTest : public testing::Test {
 protected:
  std::unique_ptr<VisionTower> load(const TinyVision& tower, VisionPrecision precision) {
    TinyModel text;
    text.config.d_model = tower.config.d_model;
    folder_.write("mmproj.gguf", tower.mmproj());
    const auto checkpoint = Checkpoint::open(folder_.write("text.gguf", text.gguf()));
    EXPECT_TRUE(checkpoint) << checkpoint.error().message;
    auto loaded = VisionTower::load(*checkpoint->vision(), *backend_, precision, {}, {});
    EXPECT_TRUE(loaded) << loaded.error().message;
    return *std::move(loaded);
  }
  // Largest difference from the plain tower over the largest value.
  double difference(const TinyVision& tower, VisionPrecision precision) {
    const auto loaded = load(tower, precision);
    const RgbImage image = random_image(tower.config.image_size, 7);
    tensor::OwnedMatrixF32 out(tower.config.tokens(), tower.config.d_model);
    EXPECT_TRUE(loaded->encode(image, {}, out.view()));
    const Rows expected = PlainTower(tower).encode(image);
    double worst = 0;
    double largest = 0;
    for (std::size_t t = 0; t < expected.size(); ++t) {
      for (std::size_t i = 0; i < expected[t].size(); ++i) {
        worst = std::max(worst, std::fabs(expected[t][i] - static_cast<double>(out.view()(t, i))));
        largest = std::max(largest, std::fabs(expected[t][i]));
      }
    }
    return worst / largest;
  }

  std::unique_ptr<backend::Backend> backend_ = backend::make_reference_backend();
  formats::TestFolder folder_;
};

TEST_F(VisionTowerTest, AgreesWithPlainLoops) { EXPECT_LT(difference({}, VisionPrecision::kF32), 1e-5); }

TEST_F(VisionTowerTest, MorePatchesThanAChunkAndABlockOfKeys) {
  TinyVision tower;
  tower.config.image_size = 54;  // 18 x 18 patches
  tower.config.tokens_per_side = 6;
  tower.config.mean = {0.5F, 0.5F, 0.5F};
  tower.config.layers = 1;
  ASSERT_GT(tower.config.patches(), kVisionChunk);
  EXPECT_LT(difference(tower, VisionPrecision::kF32), 1e-5);
}

// Rounding to 8 bits of significand or to 127 steps a block leaves errors of that order.
TEST_F(VisionTowerTest, RoundedWeightsStayClose) {
  TinyVision tower;
  tower.config.width = 32;
  tower.config.ffn = 44;  // no whole number of blocks
  EXPECT_LT(difference(tower, VisionPrecision::kBf16), 0.05);
  EXPECT_LT(difference(tower, VisionPrecision::kInt8), 0.05);
  EXPECT_GT(difference(tower, VisionPrecision::kBf16), 1e-5);
}

TEST_F(VisionTowerTest, StopsBetweenLayers) {
  const TinyVision tower;
  const auto loaded = load(tower, VisionPrecision::kF32);
  std::stop_source stop;
  stop.request_stop();
  tensor::OwnedMatrixF32 out(tower.config.tokens(), tower.config.d_model);
  EXPECT_TRUE(formats::is_error(loaded->encode(random_image(12, 1), stop.get_token(), out.view()),
                                ErrorKind::kInterrupted, {}));
}

}  // namespace
}  // namespace carat::model
