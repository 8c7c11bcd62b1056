#include "kernels/levels.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "kernels/test_levels.h"

namespace carat::kernels {
namespace {

using testing::HasSubstr;

TEST(Levels, EachTableNamesItsLevel) {
  ASSERT_FALSE(levels().empty());
  for (const Level& level : levels()) {
    ASSERT_NE(level.kernels, nullptr);
    EXPECT_EQ(level.kernels->level, level.name);
  }
}

TEST(Levels, ScalarIsAlwaysThereAndExact) {
  const Level& scalar = levels().front();
  EXPECT_EQ(scalar.name, "scalar");
  EXPECT_TRUE(scalar.available);
  EXPECT_TRUE(scalar.integer_exact);
}

TEST(Levels, TheBestIsTheLastExactOneAvailable) {
  const Level* last = nullptr;
  for (const Level& level : levels()) last = level.available && level.integer_exact ? &level : last;
  EXPECT_EQ(&best_level(), last);
}

TEST(Levels, AreFoundByNameIfThisMachineHasThem) {
  for (const Level& level : levels()) {
    const auto found = find_level(level.name);
    ASSERT_EQ(found.has_value(), level.available) << level.name;
    if (found) {
      EXPECT_EQ(*found, &level);
    } else {
      EXPECT_EQ(found.error().kind, ErrorKind::kUsage);
      EXPECT_THAT(found.error().message, HasSubstr(std::string(level.name)));
    }
  }
}

TEST(Levels, AnUnknownNameIsAnErrorThatListsTheOnesThereAre) {
  for (const char* const name : {"avx1024", "", "AVX2", "scalar "}) {
    const auto found = find_level(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(found.error().message, HasSubstr(fmt::format("\"{}\"", name)));
    for (const Level& level : levels()) {
      EXPECT_EQ(found.error().message.contains(level.name), level.available) << found.error().message;
    }
  }
}

// A run that asks for one level must not pass by skipping them all.
TEST(Levels, TheForcedOneIsThere) {
  if (forced_level().empty()) return;
  const auto found = find_level(forced_level());
  ASSERT_TRUE(found) << found.error().message;
  std::cout << "CARAT_CPU forces level " << (*found)->kernels->level << "\n";
}

class LevelsTest : public LevelTest {};

TEST_P(LevelsTest, IsCompleteAndRuns) {
  const Kernels& all = kernels();
  EXPECT_TRUE(all.rms_norm && all.add_rms_norm && all.layer_norm && all.head_norm_rope && all.geglu &&
              all.gelu && all.add && all.add_scaled && all.quantize && all.panel && all.store_kv &&
              all.attend && all.merge && all.finish);
  float x = 1.0F;
  const float y = 2.0F;
  all.add(&x, &y, 1);
  EXPECT_EQ(x, 3.0F);
}

CARAT_TEST_ALL_LEVELS(LevelsTest);

}  // namespace
}  // namespace carat::kernels
