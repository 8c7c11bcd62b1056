#include "base/nearest_name.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace carat {
namespace {

TEST(NearestName, FindsTheNameWithFewestEdits) {
  const std::vector<std::string_view> known = {"temperature", "threads", "top_k", "top_p", "seed"};
  EXPECT_EQ(nearest_name("temprature", known), "temperature");   // one missing
  EXPECT_EQ(nearest_name("tempreature", known), "temperature");  // neighbours swapped
  EXPECT_EQ(nearest_name("thread", known), "threads");
  EXPECT_EQ(nearest_name("Top-P", known), "top_p");  // case and separators are free
  EXPECT_EQ(nearest_name("sead", known), "seed");
}

TEST(NearestName, SuggestsNothingForStrangers) {
  const std::vector<std::string_view> known = {"temperature", "seed"};
  EXPECT_EQ(nearest_name("colour", known), std::nullopt);
  EXPECT_EQ(nearest_name("", known), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(100'000, 'x'), known), std::nullopt);
  EXPECT_EQ(nearest_name("seed", {}), std::nullopt);
}

}  // namespace
}  // namespace carat
