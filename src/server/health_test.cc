#include "server/health.h"

#include <gtest/gtest.h>

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

TEST(HealthTest, DrainsOnce) {
  const engine::ManualClock clock;
  Health health(clock);
  EXPECT_FALSE(health.drains());
  health.drain();
  EXPECT_TRUE(health.drains());
}

}  // namespace
}  // namespace carat::server
