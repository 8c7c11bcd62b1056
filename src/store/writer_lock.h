#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace carat::store {

// Says which writers of a database live. Every open store is a writer with a number of its own, and holds a
// lock on the byte of that number in a file beside the database; the kernel lets go of it when the process
// ends, however it does. So an answer whose writer's lock is free will never be finished.
class WriterLock {
 public:
  // Takes `writer`'s lock in `file`, which is created where it is missing. kBusy when somebody holds it.
  static Result<WriterLock> take(const std::filesystem::path& file, std::int64_t writer);
  ~WriterLock();
  WriterLock(WriterLock&& other) noexcept;
  WriterLock& operator=(WriterLock&&) = delete;

  std::int64_t writer() const { return writer_; }

  // Whether somebody holds that writer's lock, this one included. Numbers that nobody can have are not alive.
  Result<bool> is_alive(std::int64_t writer) const;

 private:
  WriterLock(int descriptor, std::int64_t writer, std::string name)
      : descriptor_(descriptor), writer_(writer), name_(std::move(name)) {}

  int descriptor_;
  std::int64_t writer_;
  std::string name_;
};

}  // namespace carat::store
