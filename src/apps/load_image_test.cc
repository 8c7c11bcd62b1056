#include "apps/load_image.h"

#include <gtest/gtest.h>

#include "base/test_fixture.h"

namespace carat::apps {
namespace {

TEST(LoadImages, TogetherTheyHaveALimit) {
  const std::string path = test_fixture("images/photo.png");
  const auto one = load_images({path}, false, {});
  ASSERT_TRUE(one) << one.error().message;
  const std::uint64_t bytes = one->front().picture->pixels.pixels.size();
  EXPECT_TRUE(load_images({path, path}, true, {}, 2 * bytes));
  const auto two = load_images({path, path}, false, {}, 2 * bytes - 1);
  ASSERT_FALSE(two);
  EXPECT_EQ(two.error().kind, ErrorKind::kFailed);
  EXPECT_NE(two.error().message.find("when decoded, where"), std::string::npos) << two.error().message;
}

}  // namespace
}  // namespace carat::apps
