#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace carat {

// The Error for a system call that failed while writing `what`: kDiskFull for ENOSPC and EDQUOT, kClosedPipe
// for EPIPE, kNotFound for a missing folder, kFailed for everything else.
Error write_error(const std::string& what, int error_number);

// Writes all of `bytes` to a descriptor, however many calls that takes.
Result<> write_all(int descriptor, const std::string& what, std::span<const std::byte> bytes);
Result<> write_all(int descriptor, const std::string& what, std::string_view text);

// A file in the making. Bytes go to a temporary file beside `path`, which takes the name in one step at
// commit(): readers see the old file or the whole new one. Without commit() nothing is left behind. Devices
// and pipes, which cannot be replaced, are written directly.
class OutputFile {
 public:
  enum class Access { kShared, kPrivate };  // as the umask says, or for the owner alone

  static Result<OutputFile> create(const std::string& path, Access access = Access::kShared);
  ~OutputFile();
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;

  Result<> write(std::span<const std::byte> bytes);
  Result<> write(std::string_view text);
  Result<> commit();

 private:
  OutputFile(std::string path, std::string target, std::string temporary, int descriptor);

  std::string path_;       // as the user gave it, for messages
  std::string target_;     // path_ with symbolic links followed
  std::string temporary_;  // empty when the target is written directly, and after commit
  int descriptor_;
};

// Creates, writes and commits in one go.
Result<> write_file(const std::string& path, std::string_view text,
                    OutputFile::Access access = OutputFile::Access::kShared);

}  // namespace carat
