#pragma once

// Tests that run once for each instruction-set level of this build. A level that the machine lacks is a
// visible skip; CARAT_CPU in the environment restricts the run to one level.

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <ostream>
#include <string>
#include <string_view>

#include "kernels/levels.h"

namespace carat::kernels {

// For GoogleTest: the level's name instead of its bytes.
inline std::ostream& operator<<(std::ostream& out, const Level& level) { return out << level.name; }

// The level that CARAT_CPU names; empty when it is not set.
inline std::string_view forced_level() {
  const char* const name = std::getenv("CARAT_CPU");
  return name == nullptr ? "" : name;
}

inline const Kernels& scalar_kernels() { return *levels().front().kernels; }

class LevelTest : public testing::TestWithParam<Level> {
 protected:
  void SetUp() override {
    const std::string_view name = GetParam().name;
    if (!GetParam().available) GTEST_SKIP() << "level " << name << " not run: this CPU lacks it";
    if (!forced_level().empty() && forced_level() != name)
      GTEST_SKIP() << "level " << name << " not run: CARAT_CPU is " << forced_level();
    // Proves which level ran: the name inside the table that is called.
    RecordProperty("level", kernels().level);
    std::cout << "level " << kernels().level << "\n";
  }

  const Kernels& kernels() const { return *GetParam().kernels; }
};

inline std::string level_test_name(const testing::TestParamInfo<Level>& info) {
  return std::string(info.param.name);
}

// Once for each level; put it behind the tests of a fixture derived from LevelTest.
#define CARAT_TEST_ALL_LEVELS(fixture)                                                  \
  INSTANTIATE_TEST_SUITE_P(Level, fixture, testing::ValuesIn(carat::kernels::levels()), \
                           carat::kernels::level_test_name)

}  // namespace carat::kernels
