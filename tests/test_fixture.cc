#include "base/test_fixture.h"

namespace carat {

std::string test_fixture(std::string_view name) { return std::string(CARAT_FIXTURES "/").append(name); }

}  // namespace carat
