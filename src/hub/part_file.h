#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hub/byte_ranges.h"
#include "hub/pull_plan.h"

namespace carat::hub {

inline constexpr std::string_view kPartSuffix = ".part";    // of the bytes
inline constexpr std::string_view kStateSuffix = ".state";  // of what is there

// What a state file says.
struct PartState {
  ByteRanges ranges = {};
  bool finished = false;
};
// An Error where the text says nothing that can be used for `file`; the ranges lie inside of it.
Result<PartState> parse_part_state(const std::string& text, const std::string& place, const RemoteFile& file);

// A file that is being downloaded to `path`: its bytes in path.part, and in path.state which of them are
// there. Both survive a cut, a crash or a Ctrl-C. Writes may come from several threads.
class PartFile {
 public:
  // Takes up what an earlier attempt at the same file left; whatever does not fit together is begun anew.
  static Result<std::unique_ptr<PartFile>> open(const std::filesystem::path& path, const RemoteFile& file);
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  // Where the bytes are until the file is finished.
  std::string part_path() const { return path_.string() + std::string(kPartSuffix); }
  bool is_finished() const { return finished_; }  // complete, checked, and at `path`
  ByteRanges done() const;
  std::uint64_t done_bytes() const { return finished_ ? file_.bytes : done_bytes_.load(); }

  // Bytes beyond the file's end are our bug. kDiskFull and kFailed as the system says.
  Result<> write(std::uint64_t offset, std::span<const std::byte> bytes);

  // Writes down what is there. Also happens every 64 MiB.
  Result<> save();

  // Compares a complete file with its SHA-256, then gives it its name. On a wrong one, which is kNetwork, all
  // bytes are forgotten. `progress` gets the bytes looked at so far.
  Result<> finish(const std::function<void(std::uint64_t)>& progress, const std::stop_token& stop);

 private:
  PartFile(std::filesystem::path path, const RemoteFile& file) : path_(std::move(path)), file_(file) {}

  std::string state_path() const { return path_.string() + std::string(kStateSuffix); }
  void take_up_state();
  Result<> write_state(const ByteRanges& ranges, bool finished) const;
  Result<std::string> digest(const std::function<void(std::uint64_t)>& progress,
                             const std::stop_token& stop) const;

  std::filesystem::path path_;
  RemoteFile file_;
  int descriptor_ = -1;
  bool finished_ = false;
  mutable std::mutex mutex_;  // of the two below
  ByteRanges ranges_;
  std::uint64_t unsaved_ = 0;
  std::atomic<std::uint64_t> done_bytes_ = 0;
  std::mutex saving_;
};

}  // namespace carat::hub
