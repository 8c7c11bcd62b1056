#include "engine/step_planner.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <map>

namespace carat::engine {
namespace {

std::string show(const std::vector<Share>& shares) {
  std::vector<std::string> parts;
  for (const Share& share : shares) parts.push_back(fmt::format("{}:{}", share.index, share.rows));
  return fmt::format("{}", fmt::join(parts, " "));
}

TEST(PrefillTurns, ASingleRequestTakesAll) {
  PrefillTurns turns;
  EXPECT_EQ(show(turns.divide({}, {.rows = 10})), "");
  const std::vector<Waiting> one = {{.owner = "a", .rows = 100}};
  EXPECT_EQ(show(turns.divide(one, {.rows = 64})), "0:64");
  EXPECT_EQ(show(turns.divide(one, {.rows = 64})), "0:64");
  EXPECT_EQ(show(turns.divide(one, {.rows = 500})), "0:100");
}

TEST(PrefillTurns, OwnersBeginInTurnAndShareWhatIsLeft) {
  PrefillTurns turns;
  const std::vector<Waiting> requests = {{.owner = "b", .rows = 100},
                                         {.owner = "b", .rows = 7},
                                         {.owner = "a", .rows = 30},
                                         {.owner = "c", .rows = 1000}};
  EXPECT_EQ(show(turns.divide(requests, {.rows = 64})), "2:30 0:34");
  EXPECT_EQ(show(turns.divide(requests, {.rows = 64})), "0:64");
  EXPECT_EQ(show(turns.divide(requests, {.rows = 64})), "3:64");
  EXPECT_EQ(show(turns.divide(requests, {.rows = 2000})), "2:30 0:100 3:1000 1:7");
}

// Over many steps every owner gets the same, whatever it asks for.
TEST(PrefillTurns, ShareIsByOwnerAndNotByRequest) {
  PrefillTurns turns;
  std::vector<Waiting> requests(9, {.owner = "greedy", .rows = 10'000});
  requests.push_back({.owner = "modest", .rows = 10'000});
  std::map<std::string, std::size_t> rows;
  for (int step = 0; step < 100; ++step) {
    for (const Share& share : turns.divide(requests, {.rows = 32}))
      rows[requests[share.index].owner] += share.rows;
  }
  EXPECT_EQ(rows["greedy"], rows["modest"]);
}

TEST(PrefillTurns, RowsOfLogitsHaveABoundOfTheirOwn) {
  PrefillTurns turns;
  const std::vector<Waiting> requests = {{.owner = "a", .rows = 100, .wants_logits = true},
                                         {.owner = "a", .rows = 100, .wants_logits = true},
                                         {.owner = "a", .rows = 100}};
  EXPECT_EQ(show(turns.divide(requests, {.rows = 110, .logit_rows = 40})), "0:40 2:70");
  EXPECT_EQ(show(turns.divide(requests, {.rows = 110, .logit_rows = 0})), "2:100");
}

TEST(PrefillPace, WithNobodyToWaitItTakesAll) {
  PrefillPace pace(/*step_seconds=*/0.1, /*most=*/512);
  EXPECT_EQ(pace.rows(true), 512U);  // nothing is known yet
  pace.record(512, 51.2);
  EXPECT_EQ(pace.rows(false), 512U);
}

TEST(PrefillPace, FollowsTheMeasuredSpeed) {
  PrefillPace pace(0.1, 512);
  pace.record(100, 0.1);  // 1,000 rows a second
  EXPECT_EQ(pace.rows(true), 96U);
  for (int i = 0; i < 50; ++i) pace.record(64, 0.032);  // 2,000
  EXPECT_EQ(pace.rows(true), 192U);
  for (int i = 0; i < 50; ++i) pace.record(16, 16.0);  // one
  EXPECT_EQ(pace.rows(true), PrefillPace::kLeast);
  for (int i = 0; i < 100; ++i) pace.record(512, 1e-9);
  EXPECT_EQ(pace.rows(true), 512U);
}

TEST(PrefillPace, DecodeStepsAndStandingClocksSayNothing) {
  PrefillPace pace(0.1, 512);
  pace.record(1, 100.0);
  pace.record(100, 0.0);
  EXPECT_EQ(pace.rows(true), 512U);
  PrefillPace small(0.1, /*most=*/5);
  small.record(100, 100.0);
  EXPECT_EQ(small.rows(true), 5U);
}

}  // namespace
}  // namespace carat::engine
