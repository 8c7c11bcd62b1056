#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/result.h"

namespace carat {

// The whole of a small file, read to its end rather than to its stated size: those under /proc say 0.
// kNotFound when there is no such file, kFailed when it cannot be read or has more than `limit` bytes,
// kInterrupted when a signal came while a pipe was waited for.
Result<std::string> read_text_file(const std::string& path, std::size_t limit);

// The same as a value, so that what looks at the system can be tested with files of the test's own.
using TextFileReader = std::function<Result<std::string>(const std::string& path)>;

}  // namespace carat
