#pragma once

namespace carat {

// Prints where and what, then aborts. For our own bugs only: nothing that a file, flag or request can cause.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace carat

#define CARAT_CHECK(condition)                               \
  do {                                                       \
    if (!(condition)) [[unlikely]]                           \
      ::carat::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
