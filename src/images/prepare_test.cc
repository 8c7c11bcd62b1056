#include "images/prepare.h"

#include <gtest/gtest.h>

#include <string>

#include "images/test_pictures.h"

namespace carat::images {
namespace {

TEST(PrepareTest, GivesTheEncoderWhatTheReferenceGivesIt) {
  auto lines = fixture_lines("prepared.txt");
  ASSERT_FALSE(lines.empty());
  std::vector<RgbImage> views;
  for (auto& line : lines) {
    SCOPED_TRACE(line.str());
    std::size_t width = 0;
    std::size_t height = 0;
    std::size_t view = 0;
    std::string hash;
    ASSERT_TRUE(line >> width >> height >> view >> hash);
    if (view == 0) views = prepare(plain_picture(width, height), 896, {.enabled = true});
    ASSERT_LT(view, views.size());
    EXPECT_EQ(pixel_hash(views[view]), hash);
  }
}

TEST(PrepareTest, ShowsOnlyTheWholeWithoutPanAndScan) {
  EXPECT_EQ(prepare(plain_picture(1400, 300), 64, {}).size(), 1U);
  EXPECT_EQ(prepare(plain_picture(1400, 300), 64, {.enabled = true}).size(), 5U);
}

}  // namespace
}  // namespace carat::images
