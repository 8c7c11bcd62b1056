#include "server/residency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace carat::server {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

Resident model(std::string id, std::uint64_t bytes, std::chrono::nanoseconds last_use) {
  return {.id = std::move(id), .bytes = bytes, .last_use = last_use, .keep_alive = 5min};
}

TEST(ResidencyTest, TimeCountsFromTheLastUse) {
  std::vector<Resident> models = {model("a", 1, 10s), model("b", 1, 20s)};
  EXPECT_EQ(next_expiry(models), 310s);
  EXPECT_THAT(expired(models, 310s - 1ns), IsEmpty());
  EXPECT_THAT(expired(models, 310s), ElementsAre("a"));
  EXPECT_THAT(expired(models, 320s), ElementsAre("a", "b"));
  models[0].keep_alive = 0ns;
  EXPECT_THAT(expired(models, 10s), ElementsAre("a"));
}

TEST(ResidencyTest, PinnedUsedAndEndlessOnesDoNotExpire) {
  std::vector<Resident> models = {model("pinned", 1, 0s), model("used", 1, 0s), model("endless", 1, 0s),
                                  model("far", 1, 1s)};
  models[0].is_pinned = true;
  models[1].users = 1;
  models[2].keep_alive.reset();
  models[3].keep_alive = std::chrono::nanoseconds::max();
  EXPECT_EQ(next_expiry(models), std::nullopt);
  EXPECT_THAT(expired(models, std::chrono::nanoseconds::max()), IsEmpty());
  EXPECT_EQ(next_expiry({}), std::nullopt);
}

TEST(ResidencyTest, NothingGoesWhereThereIsRoom) {
  const std::vector<Resident> models = {model("a", 40, 1s), model("b", 40, 2s)};
  const Room room = make_room(models, 20, 100);
  EXPECT_TRUE(room.is_possible);
  EXPECT_THAT(room.unload, IsEmpty());
  EXPECT_THAT(make_room(models, 21, 100).unload, ElementsAre("a"));
}

TEST(ResidencyTest, TheLongestUnusedGoesFirstAndUsedOnesLast) {
  std::vector<Resident> models = {model("used", 30, 1s), model("new", 30, 9s), model("old", 30, 5s)};
  models[0].users = 2;
  EXPECT_THAT(make_room(models, 40, 100).unload, ElementsAre("old"));
  EXPECT_THAT(make_room(models, 70, 100).unload, ElementsAre("old", "new"));
  EXPECT_THAT(make_room(models, 100, 100).unload, ElementsAre("old", "new", "used"));
}

TEST(ResidencyTest, WhatALargerOneMakesUnnecessaryStays) {
  const std::vector<Resident> models = {model("small", 10, 1s), model("middle", 20, 2s),
                                        model("large", 60, 3s)};
  EXPECT_THAT(make_room(models, 70, 100).unload, ElementsAre("large"));
  EXPECT_THAT(make_room(models, 80, 100).unload, ElementsAre("small", "large"));
}

TEST(ResidencyTest, PinnedOnesStay) {
  std::vector<Resident> models = {model("pinned", 50, 1s), model("other", 30, 2s)};
  models[0].is_pinned = true;
  EXPECT_THAT(make_room(models, 50, 100).unload, ElementsAre("other"));
  const Room none = make_room(models, 51, 100);
  EXPECT_FALSE(none.is_possible);
  EXPECT_EQ(none.pinned_bytes, 50U);
  EXPECT_THAT(none.unload, IsEmpty());
}

TEST(ResidencyTest, SizesAreComparedWithoutOverflow) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  const std::vector<Resident> models = {model("a", 2, 1s)};
  EXPECT_FALSE(make_room(models, kMost, 100).is_possible);
  EXPECT_THAT(make_room(models, kMost, kMost).unload, ElementsAre("a"));
  EXPECT_THAT(make_room(models, 1, kMost).unload, IsEmpty());
}

}  // namespace
}  // namespace carat::server
