#include "base/random_bytes.h"

#include <sys/random.h>

#include <cerrno>

#include "base/check.h"

namespace carat {

void system_random_bytes(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t count = ::getrandom(out.data(), out.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    CARAT_CHECK(count > 0);  // nothing else can go wrong with valid memory
    out = out.subspan(static_cast<std::size_t>(count));
  }
}

}  // namespace carat
