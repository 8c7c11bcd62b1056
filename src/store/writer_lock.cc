#include "store/writer_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "base/output_file.h"
#include "store/private_file.h"

namespace carat::store {
namespace {

// One byte, far beyond the file's end, which is allowed. Locks of an open file description: unlike those of a
// process they also hold against other stores of the same process.
struct flock byte_lock(std::int64_t writer) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = writer;
  lock.l_len = 1;
  return lock;
}

}  // namespace

Result<WriterLock> WriterLock::take(const std::filesystem::path& file, std::int64_t writer) {
  CARAT_TRY_VOID(prepare_private_file(file));
  const int descriptor = ::open(file.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return std::unexpected(write_error(file.string(), errno));
  WriterLock taken(descriptor, writer, file.string());
  struct flock lock = byte_lock(writer);
  if (::fcntl(descriptor, F_OFD_SETLK, &lock) == 0) return taken;
  if (errno == EAGAIN || errno == EACCES) {
    return fail(ErrorKind::kBusy, "{}: writer {} is in use", file.string(), writer);
  }
  return fail(ErrorKind::kFailed, "{}: cannot be locked: {}", file.string(), std::strerror(errno));
}

WriterLock::~WriterLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

WriterLock::WriterLock(WriterLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      writer_(other.writer_),
      name_(std::move(other.name_)) {}

Result<bool> WriterLock::is_alive(std::int64_t writer) const {
  if (writer == writer_) return true;
  if (writer < 0 || writer == std::numeric_limits<std::int64_t>::max()) return false;
  struct flock lock = byte_lock(writer);
  if (::fcntl(descriptor_, F_OFD_GETLK, &lock) != 0) {
    return fail(ErrorKind::kFailed, "{}: cannot be looked at: {}", name_, std::strerror(errno));
  }
  return lock.l_type != F_UNLCK;
}

}  // namespace carat::store
