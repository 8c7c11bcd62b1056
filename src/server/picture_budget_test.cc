#include "server/picture_budget.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace carat::server {
namespace {

// Every file is a picture of its own size times three.
Result<std::shared_ptr<const prompt::Picture>> decode(std::span<const std::byte> file,
                                                      const std::stop_token&) {
  if (file.empty()) return fail(ErrorKind::kFailed, "empty");
  return prompt::make_picture(
      {.width = file.size(), .height = 1, .pixels = std::vector<std::uint8_t>(3 * file.size())});
}

TEST(PictureBudgetTest, PicturesBeyondTheBudgetAreRefusedUntilOthersGo) {
  const ImageDecoder decoder = with_picture_budget(decode, 30);
  const std::vector<std::byte> file(5);
  auto first = decoder(file, {});
  const auto second = decoder(file, {});
  ASSERT_TRUE(first && second);
  EXPECT_EQ((*first)->pixels.width, 5U);
  EXPECT_EQ((*first)->digest, (*second)->digest);
  auto copy = *first;
  first->reset();
  for (int i = 0; i < 3; ++i) {
    const auto refused = decoder(file, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kOverloaded);
  }
  copy.reset();
  const std::vector<std::byte> large(6);
  EXPECT_FALSE(decoder(large, {})) << "18 bytes where 15 are left";
  EXPECT_TRUE(decoder(file, {}));
}

TEST(PictureBudgetTest, WhatCannotBeDecodedTakesNothing) {
  const ImageDecoder decoder = with_picture_budget(decode, 3);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(decoder({}, {}).error().message, "empty");
  const std::vector<std::byte> file(1);
  EXPECT_TRUE(decoder(file, {}));
}

}  // namespace
}  // namespace carat::server
