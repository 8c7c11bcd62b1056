#include "apps/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace carat::apps {

// open() takes the lowest free number, which is the stream's own: those below are open by then.
void open_missing_standard_streams() {
  for (const int descriptor : std::array{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    if (::open("/dev/null", O_RDONLY) != descriptor) return;
  }
}

}  // namespace carat::apps
