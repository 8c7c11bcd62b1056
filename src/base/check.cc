#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace carat {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "carat: internal error at %s:%d: %s\n", file, line, condition);
  std::abort();
}

}  // namespace carat
