#include "server/health.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "engine/testing/manual_clock.h"

namespace carat::server {
namespace {

using std::chrono::seconds;

TEST(HealthTest, CountsFromTheLastStepOfTheWorkAtHand) {
  engine::ManualClock clock;
  const Health health(clock, seconds(60));
  clock.advance(seconds(1000));
  engine::EngineStatus status;
  status.last_step = seconds(10);  // long ago, and idle since
  EXPECT_FALSE(health.look(status).is_stuck);
  EXPECT_EQ(health.look(status).step_age, std::nullopt);

  status.working_since = seconds(950);  // no step of the new work yet
  EXPECT_EQ(health.look(status).step_age, seconds(50));
  EXPECT_FALSE(health.look(status).is_stuck);
  clock.advance(seconds(11));
  EXPECT_TRUE(health.look(status).is_stuck);
  status.last_step = seconds(960);
  EXPECT_FALSE(health.look(status).is_stuck);
}

TEST(HealthTest, OneStuckEngineIsEnough) {
  engine::ManualClock clock;
  const Health health(clock, seconds(60));
  clock.advance(seconds(1000));
  engine::EngineStatus idle;
  engine::EngineStatus busy;
  busy.working_since = seconds(950);
  engine::EngineStatus stuck;
  stuck.working_since = seconds(900);
  EXPECT_EQ(health.look(std::vector{idle, idle}).step_age, std::nullopt);
  EXPECT_EQ(health.look(std::vector{idle, busy}).step_age, seconds(50));
  EXPECT_FALSE(health.look(std::vector{idle, busy}).is_stuck);
  EXPECT_TRUE(health.look(std::vector{busy, stuck, idle}).is_stuck);
  EXPECT_EQ(health.look(std::vector{stuck, busy}).step_age, seconds(100));
  EXPECT_FALSE(health.look(std::vector<engine::EngineStatus>()).is_stuck);
}

TEST(HealthTest, DrainsOnce) {
  const engine::ManualClock clock;
  Health health(clock);
  EXPECT_FALSE(health.drains());
  health.drain();
  EXPECT_TRUE(health.drains());
}

}  // namespace
}  // namespace carat::server
