#include "base/text_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace carat {

Result<std::string> read_text_file(const std::string& path, std::size_t limit) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
  if (!file && errno == EINTR)
    return fail(ErrorKind::kInterrupted, "interrupted");  // a pipe nobody writes to
  if (!file) {
    const ErrorKind kind = errno == ENOENT || errno == ENOTDIR ? ErrorKind::kNotFound : ErrorKind::kFailed;
    return fail(kind, "cannot open {}: {}", path, std::strerror(errno));
  }
  std::string text;
  char buffer[16384];
  for (;;) {
    const std::size_t got = std::fread(buffer, 1, sizeof buffer, file.get());
    if (got > limit - text.size()) return fail(ErrorKind::kFailed, "{} has more than {} bytes", path, limit);
    text.append(buffer, got);
    if (got < sizeof buffer) break;
  }
  if (std::ferror(file.get()) && errno == EINTR) return fail(ErrorKind::kInterrupted, "interrupted");
  if (std::ferror(file.get()))
    return fail(ErrorKind::kFailed, "cannot read {}: {}", path, std::strerror(errno));
  return text;
}

}  // namespace carat
