#pragma once

#include <string>
#include <string_view>

namespace carat {

// The path of tests/fixtures/`name`. Defined in tests/test_fixture.cc, the one object that knows where this
// checkout lies: the others are the same in every checkout, so a compiler cache serves them all.
std::string test_fixture(std::string_view name);

}  // namespace carat
