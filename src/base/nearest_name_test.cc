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

TEST(NearestNames, AreThoseItBeginsAndThoseFewEditsAway) {
  const std::vector<std::string_view> known{"h100-80g", "h200-141g", "h200-zerogpu-70g", "t4-16g", "l4-24g"};
  EXPECT_EQ(nearest_names("h200", known), (std::vector<std::string_view>{"h200-141g", "h200-zerogpu-70g"}));
  EXPECT_EQ(nearest_names("l4_24", known), std::vector<std::string_view>{"l4-24g"});
  EXPECT_EQ(nearest_names("h", known, 1), std::vector<std::string_view>{"h100-80g"});
  EXPECT_TRUE(nearest_names("", known).empty());
  EXPECT_TRUE(nearest_names("something else", known).empty());
}

TEST(NearestNames, AreAskedFor) {
  EXPECT_EQ(did_you_mean({}), "");
  EXPECT_EQ(did_you_mean({"a"}), "; did you mean 'a'?");
  EXPECT_EQ(did_you_mean({"a", "b", "c"}, ""), "did you mean 'a', 'b' or 'c'?");
}

}  // namespace
}  // namespace carat
