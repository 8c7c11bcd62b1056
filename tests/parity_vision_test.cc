#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "backend/reference/reference_backend.h"
#include "base/test_fixture.h"
#include "engine/image_reader.h"
#include "engine/load_model.h"
#include "engine/prompt_tokens.h"
#include "measure/prompt_logits.h"
#include "prompt/piece.h"
#include "tests/support.h"
#include "tests/tolerance.h"

// Tiny random models with image towers against f32 transformers, from the pixels of a picture to the logits
// of every position; tools/make_tiny_vision_models.py wrote the checkpoints and describes expected.bin.
namespace carat::tests {
namespace {

constexpr double kTolerance = 1e-4;  // f32 against f32: relative to the largest logit
constexpr double kScoreSpread = 4.0;
constexpr std::size_t kStride = 13;  // ids whose logits are kept
constexpr TokenId kSoft = -1;

std::string folder_of(const std::string& model) { return test_fixture("tiny_vision/") + model; }

// The pixels that the generator gives a seed.
RgbImage picture(std::uint32_t width, std::uint32_t height, std::uint32_t seed) {
  RgbImage image{.width = width, .height = height, .pixels = {}};
  for (std::uint32_t y = 0; y < height; ++y) {
    for (std::uint32_t x = 0; x < width; ++x) {
      for (std::uint32_t c = 0; c < 3; ++c) {
        image.pixels.push_back(static_cast<std::uint8_t>(x * (7 + seed) + y * 13 + c * 71 + x * y / 16 +
                                                         (x / 5) * (y / 3) * seed));
      }
    }
  }
  return image;
}

struct Case {
  std::string text;
  std::vector<prompt::Image> images;
  std::vector<TokenId> ids;
  std::vector<float> logits;  // [tokens, kept]
};

class ExpectedReader {
 public:
  explicit ExpectedReader(const std::string& path) : bytes_(read_file(path)) {}

  std::vector<Case> cases() {
    std::vector<Case> cases(number());
    const std::size_t kept = number();
    for (Case& one : cases) {
      for (std::uint32_t left = number(); left > 0; --left) {
        const std::uint32_t width = number();
        const std::uint32_t height = number();
        one.images.push_back({prompt::make_picture(picture(width, height, number())), false});
      }
      const bool pan_and_scan = number() != 0;
      for (prompt::Image& image : one.images) image.pan_and_scan = pan_and_scan;
      one.text.resize(number());
      read(one.text.data(), one.text.size());
      one.ids.resize(number());
      read(one.ids.data(), one.ids.size() * sizeof(TokenId));
      one.logits.resize(one.ids.size() * kept);
      read(one.logits.data(), one.logits.size() * sizeof(float));
    }
    EXPECT_EQ(at_, bytes_.size());
    return cases;
  }

 private:
  std::uint32_t number() {
    std::uint32_t value = 0;
    read(&value, sizeof value);
    return value;
  }
  void read(void* out, std::size_t size) {
    ASSERT_LE(size, bytes_.size() - at_);
    std::memcpy(out, bytes_.data() + at_, size);
    at_ += size;
  }

  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
};

std::vector<std::string> backend_names() {
  auto names = level_names();
  names.insert(names.begin(), "reference");
  return names;
}

class TinyVisionTest : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  const std::string& model_name() const { return std::get<0>(GetParam()); }
  const std::string& backend_name() const { return std::get<1>(GetParam()); }
  bool on_reference() const { return backend_name() == "reference"; }

  std::unique_ptr<engine::LoadedModel> load_model() const {
    std::unique_ptr<backend::Backend> backend = backend::make_reference_backend();
    if (!on_reference()) backend = backend::make_cpu_backend(cpu_options(backend_name(), 2)).value();
    auto loaded = engine::load_model(folder_of(model_name()), std::move(backend), {}, {},
                                     {.vision_precision = model::VisionPrecision::kF32});
    EXPECT_TRUE(loaded) << loaded.error().message;
    return loaded ? *std::move(loaded) : nullptr;
  }

  // Only a level that rounds activations to bfloat16 for the bf16 checkpoint is allowed more.
  double tolerance(std::size_t layers) const {
    const bool rounds =
        model_name() == "unpooled" && !on_reference() && !level_is_integer_exact(backend_name());
    return rounds ? logit_tolerance({kBf16Activations, 0.0}, layers, kScoreSpread) : kTolerance;
  }
};

// Largest difference of the kept logits over the largest of them; infinite when one is not finite.
double worst_difference(const std::vector<float>& actual, const std::vector<float>& expected) {
  if (actual.size() != expected.size()) return INFINITY;
  double difference = 0;
  double largest = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (!std::isfinite(actual[i])) return INFINITY;
    difference = std::max(difference, std::fabs(static_cast<double>(actual[i]) - expected[i]));
    largest = std::max(largest, std::fabs(static_cast<double>(expected[i])));
  }
  return difference / largest;
}

TEST_P(TinyVisionTest, IdsAndLogitsOfEveryPositionAgreeWithTransformersInAnyChunks) {
  if (!on_reference()) CARAT_SKIP_WITHOUT_LEVEL(backend_name());
  const auto model = load_model();
  ASSERT_NE(model, nullptr);
  ASSERT_NE(model->vision, nullptr);
  engine::ImageReader images(*model->vision, {});
  for (const Case& one : ExpectedReader(folder_of(model_name()) + "/expected.bin").cases()) {
    SCOPED_TRACE(one.text);
    const auto pieces = prompt::place_images(one.text, one.images);
    ASSERT_TRUE(pieces) << pieces.error().message;
    auto prompt = engine::encode_prompt(*pieces, *model, &images);
    ASSERT_TRUE(prompt) << prompt.error().message;
    std::vector<TokenId> ids = prompt->ids;
    for (const engine::ImageSpan& span : prompt->spans) {
      std::fill(ids.begin() + static_cast<std::ptrdiff_t>(span.begin),
                ids.begin() + static_cast<std::ptrdiff_t>(span.end), kSoft);
    }
    ASSERT_EQ(ids, one.ids);
    ASSERT_TRUE(engine::read_images(*prompt, 0, images, {}, [](std::size_t, std::size_t) {}));
    for (const std::size_t chunk : {ids.size(), std::size_t{1}, std::size_t{7}, std::size_t{20}}) {
      std::vector<float> actual;
      const auto take = [&](std::span<const std::vector<float>> rows) -> Result<> {
        for (const std::vector<float>& row : rows) {
          for (std::size_t id = 0; id < row.size(); id += kStride) actual.push_back(row[id]);
        }
        return {};
      };
      const auto done = measure::prompt_logits(*model, *prompt, tensor::KvType::kF32, chunk, {}, take);
      ASSERT_TRUE(done) << done.error().message;
      EXPECT_LE(worst_difference(actual, one.logits), tolerance(model->model->config().layers))
          << "in chunks of " << chunk;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, TinyVisionTest,
    testing::Combine(testing::Values("short_window", "long_window", "unpooled", "one_token"),
                     testing::ValuesIn(backend_names())),
    [](const auto& test) { return std::get<0>(test.param) + "_" + std::get<1>(test.param); });

}  // namespace
}  // namespace carat::tests
