#pragma once

#include <cstddef>
#include <functional>
#include <span>

namespace carat {

// Fills `out` with random bytes. Passed in, so that tests decide what is random.
using RandomBytes = std::function<void(std::span<std::byte> out)>;

// The kernel's generator, fit for secrets. Waits only in the first moments after the machine was started.
void system_random_bytes(std::span<std::byte> out);

}  // namespace carat
