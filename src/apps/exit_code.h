#pragma once

#include "base/result.h"

namespace carat::apps {

// What the program exits with: part of its interface, listed in docs/exit-codes.md.
int exit_code(ErrorKind kind);

}  // namespace carat::apps
