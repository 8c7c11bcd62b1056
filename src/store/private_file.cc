#include "store/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "base/output_file.h"

namespace carat::store {
namespace {

constexpr mode_t kOthersAccess = 0077;

Result<> prepare_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected(write_error(folder.string(), errno));
  }
  struct stat status = {};
  if (::stat(folder.c_str(), &status) != 0) return std::unexpected(write_error(folder.string(), errno));
  if (!S_ISDIR(status.st_mode)) return fail(ErrorKind::kFailed, "{}: this is no folder", folder.string());
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return fail(ErrorKind::kFailed, "{}: the folder belongs to another user, who could exchange the database",
                folder.string());
  }
  if ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0) {
    return fail(ErrorKind::kFailed, "{}: everybody may write to this folder; 'chmod o-w' it first",
                folder.string());
  }
  return {};
}

Result<> check_file(const std::string& name) {
  struct stat status = {};
  if (::lstat(name.c_str(), &status) != 0) return std::unexpected(write_error(name, errno));
  if (S_ISLNK(status.st_mode)) {
    return fail(ErrorKind::kFailed, "{}: this is a link; name the file that it leads to", name);
  }
  if (!S_ISREG(status.st_mode)) return fail(ErrorKind::kFailed, "{}: this is no file", name);
  if (status.st_uid != ::geteuid()) return fail(ErrorKind::kFailed, "{}: belongs to another user", name);
  if ((status.st_mode & kOthersAccess) != 0 && ::chmod(name.c_str(), 0600) != 0) {
    return std::unexpected(write_error(name, errno));
  }
  return {};
}

}  // namespace

// A file that exists is not opened here: closing a descriptor of a file gives up all POSIX locks that this
// process has on it, among them those of an SQLite connection.
Result<> prepare_private_file(const std::filesystem::path& path) {
  CARAT_TRY_VOID(prepare_folder(path.has_parent_path() ? path.parent_path() : "."));
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (descriptor >= 0) {
    ::close(descriptor);
    return {};
  }
  if (errno != EEXIST) return std::unexpected(write_error(path.string(), errno));
  return check_file(path.string());
}

}  // namespace carat::store
