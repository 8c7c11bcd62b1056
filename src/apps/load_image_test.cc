#include "apps/load_image.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/test_fixture.h"

namespace carat::apps {
namespace {

using config::Setting;

images::Decoder decoder_with(std::vector<std::pair<std::string, std::string>> environment) {
  config::Sources sources;
  sources.environment = std::move(environment);
  return image_decoder(config::resolve(sources).value().settings);
}

TEST(LoadImages, TogetherTheyHaveALimit) {
  const std::string path = test_fixture("images/photo.png");
  const images::Decoder decoder = decoder_with({});
  const auto one = load_images(decoder, {path}, false, {});
  ASSERT_TRUE(one) << one.error().message;
  const std::uint64_t bytes = one->front().picture->pixels.pixels.size();
  EXPECT_TRUE(load_images(decoder, {path, path}, true, {}, 2 * bytes));
  const auto two = load_images(decoder, {path, path}, false, {}, 2 * bytes - 1);
  ASSERT_FALSE(two);
  EXPECT_EQ(two.error().kind, ErrorKind::kFailed);
  EXPECT_NE(two.error().message.find("when decoded, where"), std::string::npos) << two.error().message;
}

TEST(LoadImages, ThePicturesLimitsAreSettings) {
  const std::string path = test_fixture("images/photo.png");
  const struct {
    const char* variable;
    const char* message;
  } cases[] = {{"CARAT_IMAGE_FILE_BYTES", "where 5 are allowed for a picture"},
               {"CARAT_IMAGE_SIDE", "where a side may have 5"},
               {"CARAT_IMAGE_PIXELS", "pixels, where 5 are allowed"}};
  for (const auto& [variable, message] : cases) {
    const auto image = load_image(decoder_with({{variable, "5"}}), path, false, {});
    ASSERT_FALSE(image) << variable;
    EXPECT_NE(image.error().message.find(message), std::string::npos) << image.error().message;
  }
}

TEST(LoadImages, ThePicturesLimitsAreTheDecodersUnlessSet) {
  const config::Settings settings = config::resolve({}).value().settings;
  const images::DecodeLimits limits;
  EXPECT_EQ(settings.integer(Setting::kImageFileBytes), limits.file_bytes);
  EXPECT_EQ(settings.integer(Setting::kImageSide), limits.pixels.side);
  EXPECT_EQ(settings.integer(Setting::kImagePixels), limits.pixels.pixels);
}

}  // namespace
}  // namespace carat::apps
