#include "images/pan_and_scan.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "images/test_pictures.h"

namespace carat::images {
namespace {

constexpr PanAndScanOptions kEnabled = {.enabled = true};

// The generator of tools/make_image_fixtures.py: the high half of Knuth's MMIX sequence.
class Lcg {
 public:
  explicit Lcg(std::uint64_t seed) : state_(seed) {}
  std::size_t next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return state_ >> 32;
  }

 private:
  std::uint64_t state_;
};

void add(Sha256& hash, std::size_t number) {
  const auto bytes = static_cast<std::uint32_t>(number);
  hash.update(std::as_bytes(std::span(&bytes, 1)));
}

TEST(PanAndScanTest, GivesTheCropsOfTheReference) {
  Lcg random(2);
  auto lines = fixture_lines("pan_and_scan.txt");
  ASSERT_EQ(lines.size(), 60U);
  for (auto& line : lines) {
    Sha256 hash;
    for (int i = 0; i < 100; ++i) {
      const std::size_t limit = std::size_t{1} << (4 + random.next() % 10);
      const std::size_t width = 1 + random.next() % limit;
      const std::size_t height = 1 + random.next() % limit;
      const std::vector<CropBox> boxes = pan_and_scan(width, height, kEnabled);
      add(hash, boxes.size());
      for (const CropBox& box : boxes) {
        for (const std::size_t number : {box.x, box.y, box.width, box.height}) add(hash, number);
      }
    }
    EXPECT_EQ(to_hex(hash.finish()), line.str());
  }
}

TEST(PanAndScanTest, FollowsTheRulesAtTheirEdges) {
  using Boxes = std::vector<CropBox>;
  EXPECT_EQ(pan_and_scan(1200, 1000, kEnabled).size(), 2U);  // a ratio of exactly 1.2
  EXPECT_EQ(pan_and_scan(1199, 1000, kEnabled), Boxes{});
  EXPECT_EQ(pan_and_scan(1025, 256, kEnabled),
            (Boxes{{0, 0, 257, 256}, {257, 0, 257, 256}, {514, 0, 257, 256}, {771, 0, 254, 256}}));
  EXPECT_EQ(pan_and_scan(256, 640, kEnabled),
            (Boxes{{0, 0, 256, 320}, {0, 320, 256, 320}}));  // 2.5 rounds up, 640 / 256 does not
  EXPECT_EQ(pan_and_scan(1000, 255, kEnabled), Boxes{});
  EXPECT_EQ(pan_and_scan(1400, 300, {}), Boxes{});
  EXPECT_EQ(pan_and_scan(1400, 300, {.enabled = true, .max_crops = 1}), (Boxes{{0, 0, 1400, 300}}));
}

TEST(PanAndScanTest, NeverCropsOutsideOrNothing) {
  for (std::size_t length = 1; length < 200; ++length) {
    std::size_t end = 0;
    for (const CropBox& box :
         pan_and_scan(length, 3, {.enabled = true, .min_crop_size = 3, .max_crops = 60})) {
      EXPECT_EQ(box.x, end);
      EXPECT_GT(box.width, 0U);
      end = box.x + box.width;
    }
    EXPECT_TRUE(end == 0 || end == length);
  }
}

TEST(CropTest, TakesTheRowsOfTheBox) {
  const RgbImage image = plain_picture(7, 5);
  const RgbImage part = crop(image, {2, 1, 3, 2});
  ASSERT_EQ(part.pixels.size(), 3U * 2 * 3);
  for (std::size_t y = 0; y < 2; ++y) {
    for (std::size_t x = 0; x < 9; ++x) {
      EXPECT_EQ(part.pixels[y * 9 + x], image.pixels[((y + 1) * 7 + 2) * 3 + x]);
    }
  }
}

}  // namespace
}  // namespace carat::images
