#include "engine/stop_matcher.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

namespace carat::engine {
namespace {

// The definition, byte by byte: the first end of any stop string, and the longest one that ends there.
std::string text_before_stop(const std::string& text, const std::vector<std::string>& stops) {
  for (std::size_t end = 0; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops) {
      if (text.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    }
    if (longest > 0) return text.substr(0, end - longest);
  }
  return text;
}

bool starts_stop(const std::string& suffix, const std::vector<std::string>& stops) {
  return std::ranges::any_of(stops, [&](const std::string& stop) { return stop.starts_with(suffix); });
}

TEST(StopMatcher, HoldsBackOnlyWhatMayBecomeAStopString) {
  StopMatcher matcher({"\n### User:"});
  EXPECT_EQ(matcher.add("Paris."), "Paris.");
  EXPECT_EQ(matcher.add("\n"), "");
  EXPECT_EQ(matcher.add("###"), "");
  EXPECT_EQ(matcher.add(" Us"), "");
  EXPECT_EQ(matcher.add("age\n"), "\n### Usage");
  EXPECT_EQ(matcher.add("\n### Us"), "\n");
  EXPECT_EQ(matcher.add("er: more"), "");
  EXPECT_TRUE(matcher.stopped());
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, GivesOutWhatItHeldWhenTheTextEnds) {
  StopMatcher matcher({"</answer>"});
  EXPECT_EQ(matcher.add("a</ans"), "a");
  EXPECT_EQ(matcher.finish(), "</ans");
  EXPECT_FALSE(matcher.stopped());
}

TEST(StopMatcher, WithoutStopStringsItPassesTextOn) {
  StopMatcher matcher({});
  EXPECT_EQ(matcher.add("anything"), "anything");
  EXPECT_EQ(matcher.finish(), "");
}

// A stop string that is not valid UTF-8 may begin inside a character: never show a part of one.
TEST(StopMatcher, ShowsWholeCharactersWhateverTheStopString) {
  StopMatcher matcher({"\xA9x"});
  EXPECT_EQ(matcher.add("caf\xC3\xA9"), "caf");
  EXPECT_EQ(matcher.add("!"), "\xC3\xA9!");
  EXPECT_EQ(matcher.add("\xC3\xA9x"), "");
  EXPECT_TRUE(matcher.stopped());
}

// Random texts over few letters, where stop strings nest, overlap and repeat, in random parts.
TEST(StopMatcher, AgreesWithANaiveSearchHoweverTheTextIsSplit) {
  const std::vector<std::string> letters = {"a", "b", "\n", "é", "è", "日", "😀"};
  std::mt19937 random(1);
  const auto random_text = [&](std::size_t characters) {
    const std::size_t kinds = 2 + random() % (letters.size() - 1);
    std::string text;
    for (std::size_t i = 0; i < characters; ++i) text += letters[random() % kinds];
    return text;
  };
  for (int trial = 0; trial < 20'000; ++trial) {
    std::vector<std::string> stops(1 + random() % 4);
    for (std::string& stop : stops) stop = random_text(1 + random() % 5);
    const std::string expected_of = random_text(random() % 30);
    const std::string expected = text_before_stop(expected_of, stops);

    StopMatcher matcher(stops);
    std::string shown;
    std::size_t at = 0;
    while (at < expected_of.size() && !matcher.stopped()) {
      std::size_t next = at + 1 + random() % 6;  // the decoder gives whole characters
      while (next < expected_of.size() && (static_cast<unsigned char>(expected_of[next]) & 0xC0) == 0x80)
        ++next;
      next = std::min(next, expected_of.size());
      shown += matcher.add(std::string_view(expected_of).substr(at, next - at));
      at = next;
      ASSERT_TRUE(expected.starts_with(shown));
      if (!matcher.stopped()) {
        const std::string held = expected_of.substr(shown.size(), at - shown.size());
        ASSERT_TRUE(held.empty() || starts_stop(held, stops)) << "holds back more than it must: " << held;
      }
    }
    ASSERT_EQ(matcher.stopped(), expected.size() != expected_of.size());
    shown += matcher.finish();
    ASSERT_EQ(shown, expected);
  }
}

}  // namespace
}  // namespace carat::engine
