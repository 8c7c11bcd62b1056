#include "planner/report_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace carat::planner {
namespace {

TEST(ReportTable, KnowsWhichWeightsNoRuleExplains) {
  std::set<std::string> unexplained;
  std::set<std::string> odd;
  for (const ReportCell& cell : report_table()) {
    const std::string name = fmt::format("{} {}", name_of(cell.size), description_of(cell.column));
    if (!cell.rule) {
      unexplained.insert(name);
      continue;
    }
    if (cell.rule->has_odd_constant) odd.insert(name);
    EXPECT_EQ(fmt::format("{:.1f}", cell.by_rule), fmt::format("{:.1f}", cell.reported)) << name;
  }
  EXPECT_EQ(unexplained, std::set<std::string>{"27b int4, blocks of 32"});
  EXPECT_EQ(odd, (std::set<std::string>{"4b int4", "12b int4", "27b int4"}));
}

TEST(ReportTable, TwelveBytesANumberExplainEveryCache) {
  ASSERT_EQ(report_table().size(), 16U);
  for (const ReportCell& cell : report_table()) EXPECT_TRUE(cell.kv_fits_rule) << name_of(cell.size);
}

// GB of a cache of 32,768 tokens that keeps the windows, counted by hand: 27B has 10 global layers of 32,768
// positions and 52 local ones of 1024, each position 2 * 16 * 128 numbers.
TEST(ReportTable, HasTheExactSizes) {
  const auto table = report_table();
  const ReportCell& bf16_27b = table[12];
  ASSERT_EQ(bf16_27b.size, ReleasedSize::k27B);
  EXPECT_DOUBLE_EQ(bf16_27b.kv_16_bit, 2.0 * 4096 * (10 * 32'768 + 52 * 1024) / 1e9);
  EXPECT_NEAR(bf16_27b.exact_text, 54.02, 0.01);
  EXPECT_NEAR(bf16_27b.exact_vision, 0.846, 0.001);
  const ReportCell& sfp8_1b = table[3];
  EXPECT_NEAR(sfp8_1b.exact_text, 1.0, 0.005);
  EXPECT_EQ(sfp8_1b.exact_vision, 0);
}

TEST(ReportText, MarksWhatNoRuleExplains) {
  const std::string text = report_text(report_table());
  const std::size_t cell = text.find("27b  int4, blocks of 32");
  ASSERT_NE(cell, std::string::npos) << text;
  const std::string line = text.substr(cell, text.find('\n', cell) - cell);
  EXPECT_TRUE(line.ends_with("no rule explains it")) << line;
  EXPECT_EQ(text.find("no rule explains it", cell + line.size()), std::string::npos);
}

}  // namespace
}  // namespace carat::planner
