#pragma once

#include <string>

#include "base/result.h"

namespace carat::worker {

// Takes from this process, for good, everything that computing on memory does not need: files (Landlock and
// seccomp), sockets, other processes, new programs. What it has open stays. Returns the layers that hold, for
// people: "system-call filter, Landlock 4, no new privileges". Fails where the kernel takes no system-call
// filter; Landlock is used where there is one.
Result<std::string> lock_down();

}  // namespace carat::worker
