#include "apps/exit_code.h"

namespace carat::apps {

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kFailed: return 1;
    case ErrorKind::kUsage: return 2;
    case ErrorKind::kNotFound: return 3;
    case ErrorKind::kInvalidModel: return 4;
    case ErrorKind::kDoesNotFit: return 5;
    case ErrorKind::kNetwork: return 1;
    case ErrorKind::kContextExceeded: return 1;
    case ErrorKind::kOverloaded: return 1;
    case ErrorKind::kPortInUse: return 6;
    case ErrorKind::kDiskFull: return 7;
    case ErrorKind::kInterrupted: return 130;  // 128 + SIGINT
    case ErrorKind::kClosedPipe: return 141;   // 128 + SIGPIPE
    case ErrorKind::kConflict: return 1;
    case ErrorKind::kQuota: return 1;
    case ErrorKind::kBusy: return 1;
  }
  return 1;
}

}  // namespace carat::apps
