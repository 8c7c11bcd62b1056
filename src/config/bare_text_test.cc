#include "config/bare_text.h"

#include <gtest/gtest.h>

namespace carat::config {
namespace {

TEST(BareText, AnythingMayStandInQuotesAndComments) {
  for (const std::string_view toml :
       {"", "a = 1\n", "\xEF\xBB\xBF# é\na = 1", "a = 'é' # é", "a = \"\\\"é\"", "a = '''\n'é''\n'''",
        "a = \"\"\"\n\"é\\\"\"\"é\"\"\"\"\"", "'é' = 1", "a = ''\nb = \"\" # é", "a = 'é"}) {
    EXPECT_EQ(line_of_bare_non_ascii(toml), std::nullopt) << toml;
  }
}

TEST(BareText, ElsewhereTheLineIsFound) {
  EXPECT_EQ(line_of_bare_non_ascii("é = 1"), 1U);
  EXPECT_EQ(line_of_bare_non_ascii("# é\n\na = 'é' é"), 3U);
  EXPECT_EQ(line_of_bare_non_ascii("a = '\\' é"), 1U);  // no escapes in literal strings
  EXPECT_EQ(line_of_bare_non_ascii("a = 'b\né"), 2U);   // a string that is not closed ends with its line
  EXPECT_EQ(line_of_bare_non_ascii("a = '''\n\n''''' é"), 3U);
  EXPECT_EQ(line_of_bare_non_ascii("a = \"\" é"), 1U);
  EXPECT_EQ(line_of_bare_non_ascii("a = 1 \xFF"), 1U);
  EXPECT_EQ(line_of_bare_non_ascii("a\xEF\xBB\xBF = 1"), 1U);
}

}  // namespace
}  // namespace carat::config
