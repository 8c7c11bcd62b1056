#include "base/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace carat {
namespace {

constexpr int kTemporaryNames = 100;

bool exists_but_is_no_file(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

// A link stays a link: the file it leads to is replaced.
std::string follow_links(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_symlink(path, error)) return path;
  const std::filesystem::path target = std::filesystem::weakly_canonical(path, error);
  return error ? path : target.string();
}

}  // namespace

Error write_error(const std::string& what, int error_number) {
  ErrorKind kind = ErrorKind::kFailed;
  if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) kind = ErrorKind::kDiskFull;
  if (error_number == EPIPE) kind = ErrorKind::kClosedPipe;
  if (error_number == ENOENT || error_number == ENOTDIR) kind = ErrorKind::kNotFound;
  return {kind, fmt::format("{}: cannot write: {}", what, std::strerror(error_number))};
}

Result<> write_all(int descriptor, const std::string& what, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(write_error(what, errno));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<> write_all(int descriptor, const std::string& what, std::string_view text) {
  return write_all(descriptor, what, std::as_bytes(std::span(text)));
}

OutputFile::OutputFile(std::string path, std::string target, std::string temporary, int descriptor)
    : path_(std::move(path)),
      target_(std::move(target)),
      temporary_(std::move(temporary)),
      descriptor_(descriptor) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<OutputFile> OutputFile::create(const std::string& path, Access access) {
  if (exists_but_is_no_file(path)) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return std::unexpected(write_error(path, errno));
    return OutputFile(path, path, {}, descriptor);
  }
  const std::string target = follow_links(path);
  const mode_t mode = access == Access::kPrivate ? 0600 : 0666;
  // A name may be taken by another process's, or a killed one's, temporary file.
  for (int attempt = 0; attempt < kTemporaryNames; ++attempt) {
    std::string temporary = fmt::format("{}.{}-{}.part", target, ::getpid(), attempt);
    const int descriptor =
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (descriptor >= 0) return OutputFile(path, target, std::move(temporary), descriptor);
    if (errno != EEXIST) return std::unexpected(write_error(path, errno));
  }
  return fail(ErrorKind::kFailed, "{}: too many unfinished files named {}.*.part beside it", path, target);
}

Result<> OutputFile::write(std::span<const std::byte> bytes) { return write_all(descriptor_, path_, bytes); }

Result<> OutputFile::write(std::string_view text) { return write_all(descriptor_, path_, text); }

Result<> OutputFile::commit() {
  // Some systems report a full disk or quota only when the file is flushed or closed.
  if (!temporary_.empty() && ::fsync(descriptor_) != 0) return std::unexpected(write_error(path_, errno));
  if (::close(std::exchange(descriptor_, -1)) != 0) return std::unexpected(write_error(path_, errno));
  if (temporary_.empty()) return {};
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) return std::unexpected(write_error(path_, errno));
  temporary_.clear();
  return {};
}

Result<> write_file(const std::string& path, std::string_view text, OutputFile::Access access) {
  CARAT_TRY(OutputFile file, OutputFile::create(path, access));
  CARAT_TRY_VOID(file.write(text));
  return file.commit();
}

}  // namespace carat
