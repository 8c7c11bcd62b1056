#include "base/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace carat {
namespace {

class FileSource final : public ByteSource {
 public:
  FileSource(std::string path, int descriptor, std::uint64_t size)
      : path_(std::move(path)), descriptor_(descriptor), size_(size) {}
  ~FileSource() override { ::close(descriptor_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  const std::string& name() const override { return path_; }
  std::uint64_t size() const override { return size_; }

  Result<> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size_ || out.size() > size_ - offset) {
      return fail(ErrorKind::kInvalidModel, "{}: the file ends at byte {}, but {} bytes are needed at {}",
                  path_, size_, out.size(), offset);
    }
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t count =
          ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return fail(ErrorKind::kFailed, "{}: cannot read: {}", path_, std::strerror(errno));
      if (count == 0) {
        return fail(ErrorKind::kInvalidModel,
                    "{}: the file changed while it was being read: it had {} bytes and now ends before {}",
                    path_, size_, offset + out.size());
      }
      done += static_cast<std::size_t>(count);
    }
    return {};
  }

 private:
  std::string path_;
  int descriptor_;
  std::uint64_t size_;
};

class MemorySource final : public ByteSource {
 public:
  MemorySource(std::string name, std::vector<std::byte> bytes)
      : name_(std::move(name)), bytes_(std::move(bytes)) {}

  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return bytes_.size(); }

  Result<> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      return fail(ErrorKind::kInvalidModel, "{}: the data ends at byte {}, but {} bytes are needed at {}",
                  name_, bytes_.size(), out.size(), offset);
    }
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }

 private:
  std::string name_;
  std::vector<std::byte> bytes_;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_file(const std::string& path) {
  // Opening a pipe would otherwise wait for its writer; regular files do not know O_NONBLOCK.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const ErrorKind kind = errno == ENOENT || errno == ENOTDIR ? ErrorKind::kNotFound : ErrorKind::kFailed;
    return fail(kind, "{}: cannot open: {}", path, std::strerror(errno));
  }
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return fail(ErrorKind::kFailed, "{}: not a regular file", path);
  }
  return std::make_unique<FileSource>(path, descriptor, static_cast<std::uint64_t>(status.st_size));
}

Result<std::string> read_whole_file(const std::string& path, std::size_t limit) {
  CARAT_TRY(const std::unique_ptr<ByteSource> file, open_file(path));
  if (file->size() > limit) {
    return fail(ErrorKind::kInvalidModel, "{}: at most {} bytes are allowed, found {}", path, limit,
                file->size());
  }
  std::string text(static_cast<std::size_t>(file->size()), '\0');
  CARAT_TRY_VOID(file->read_at(0, std::as_writable_bytes(std::span(text))));
  return text;
}

std::unique_ptr<ByteSource> memory_source(std::string name, std::vector<std::byte> bytes) {
  return std::make_unique<MemorySource>(std::move(name), std::move(bytes));
}

}  // namespace carat
