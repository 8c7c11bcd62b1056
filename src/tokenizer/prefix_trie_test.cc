#include "tokenizer/prefix_trie.h"

#include <gtest/gtest.h>

namespace carat::tokenizer {
namespace {

TEST(PrefixTrieTest, FindsTheLongestPrefix) {
  PrefixTrie trie;
  trie.insert("\n", 1);
  trie.insert("\n\n\n", 3);
  trie.insert("<b>", 4);
  trie.insert("<body>", 5);
  trie.insert("\n", 9);  // the first id of a text stays
  const auto longest = [&](std::string_view text) {
    const PrefixTrie::Match match = trie.longest_prefix(text);
    return std::pair(match.length, match.id);
  };
  EXPECT_EQ(longest("\nx"), std::pair(std::size_t{1}, 1));
  EXPECT_EQ(longest("\n\nx"), std::pair(std::size_t{1}, 1));  // two newlines only begin a longer text
  EXPECT_EQ(longest("\n\n\n\n"), std::pair(std::size_t{3}, 3));
  EXPECT_EQ(longest("<body>"), std::pair(std::size_t{6}, 5));
  EXPECT_EQ(longest("<b>ody>"), std::pair(std::size_t{3}, 4));
  EXPECT_EQ(longest("<bo"), std::pair(std::size_t{0}, -1));
  EXPECT_EQ(longest("x"), std::pair(std::size_t{0}, -1));
  EXPECT_EQ(longest(""), std::pair(std::size_t{0}, -1));
  EXPECT_TRUE(trie.may_start_with('<'));
  EXPECT_FALSE(trie.may_start_with('b'));
}

}  // namespace
}  // namespace carat::tokenizer
