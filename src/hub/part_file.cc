#include "hub/part_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <vector>

#include "base/byte_source.h"
#include "base/check.h"
#include "base/output_file.h"
#include "base/sha256.h"
#include "formats/json.h"

namespace carat::hub {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::uint64_t kSaveEvery = std::uint64_t{64} << 20;
constexpr std::size_t kHashPart = std::size_t{1} << 20;
constexpr std::size_t kMostStateBytes = std::size_t{1} << 20;
constexpr std::uint64_t kStateVersion = 1;

std::uint64_t size_of(const fs::path& path) {
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

}  // namespace

Result<PartState> parse_part_state(const std::string& text, const std::string& place,
                                   const RemoteFile& file) {
  CARAT_TRY(const auto document, formats::JsonDocument::parse(text, place));
  const formats::JsonObject root = document.root();
  CARAT_TRY(const auto version, root.get_u64("version"));
  CARAT_TRY(const auto bytes, root.get_u64("bytes"));
  CARAT_TRY(const auto sha256, root.get_string("sha256"));
  CARAT_TRY(const auto url, root.get_string("url"));
  CARAT_TRY(const auto finished, root.find_bool("finished"));
  CARAT_TRY(const auto* ranges, root.get_array("ranges"));
  // Without a digest, only the address with its commit tells that it is the same file.
  const bool same = sha256 == file.sha256 && (!sha256.empty() || url == file.url);
  if (version != kStateVersion || bytes != file.bytes || !same) return root.invalid("sha256", "another file");
  PartState state{.finished = finished.value_or(false)};
  for (const json::value& value : *ranges) {
    const auto* pair = value.if_array();
    if (pair == nullptr || pair->size() != 2) return root.invalid("ranges", "expected pairs");
    json::error_code error;
    const auto begin = (*pair)[0].to_number<std::uint64_t>(error);
    if (error) return root.invalid("ranges", "expected numbers");
    const auto end = (*pair)[1].to_number<std::uint64_t>(error);
    if (error || begin >= end || end > bytes) return root.invalid("ranges", "out of the file");
    state.ranges.add({begin, end});
  }
  return state;
}

Result<std::unique_ptr<PartFile>> PartFile::open(const fs::path& path, const RemoteFile& file) {
  std::unique_ptr<PartFile> part(new PartFile(path, file));
  part->take_up_state();
  if (part->finished_) return part;
  part->descriptor_ = ::open(part->part_path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (part->descriptor_ < 0) return std::unexpected(write_error(part->part_path(), errno));
  return part;
}

PartFile::~PartFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void PartFile::take_up_state() {
  const auto text = read_whole_file(state_path(), kMostStateBytes);
  if (!text) return;
  auto state = parse_part_state(*text, state_path(), file_);
  if (!state) return;
  if (state->finished) {
    std::error_code ignored;  // there is no .part when the name was given before
    fs::rename(part_path(), path_, ignored);
    finished_ = size_of(path_) == file_.bytes;
    return;
  }
  const auto& ranges = state->ranges.ranges();
  if (!ranges.empty() && ranges.back().end > size_of(part_path())) return;
  done_bytes_ = state->ranges.size();
  ranges_ = std::move(state->ranges);
}

ByteRanges PartFile::done() const {
  const std::lock_guard lock(mutex_);
  return ranges_;
}

Result<> PartFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  CARAT_CHECK(offset <= file_.bytes && bytes.size() <= file_.bytes - offset);
  const std::uint64_t end = offset + bytes.size();
  for (std::uint64_t at = offset; at < end;) {
    const auto rest = bytes.subspan(static_cast<std::size_t>(at - offset));
    const ssize_t count = ::pwrite(descriptor_, rest.data(), rest.size(), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(write_error(part_path(), errno));
    at += static_cast<std::uint64_t>(count);
  }
  bool save_now = false;
  {
    const std::lock_guard lock(mutex_);
    ranges_.add({offset, end});
    done_bytes_ = ranges_.size();
    unsaved_ += bytes.size();
    save_now = unsaved_ >= kSaveEvery;
    if (save_now) unsaved_ = 0;
  }
  return save_now ? save() : Result<>{};
}

Result<> PartFile::save() {
  const std::lock_guard lock(saving_);
  const ByteRanges ranges = done();
  // The bytes first: the state must not claim what a power failure took.
  if (::fdatasync(descriptor_) != 0) return std::unexpected(write_error(part_path(), errno));
  return write_state(ranges, false);
}

Result<> PartFile::write_state(const ByteRanges& ranges, bool finished) const {
  json::array pairs;
  for (const ByteRange& range : ranges.ranges()) pairs.push_back(json::array{range.begin, range.end});
  return write_file(state_path(), json::serialize(json::object{{"version", kStateVersion},
                                                               {"bytes", file_.bytes},
                                                               {"sha256", file_.sha256},
                                                               {"url", file_.url},
                                                               {"finished", finished},
                                                               {"ranges", std::move(pairs)}}));
}

Result<std::string> PartFile::digest(const std::function<void(std::uint64_t)>& progress,
                                     const std::stop_token& stop) const {
  CARAT_TRY(const auto source, open_file(part_path()));
  Sha256 hash;
  std::vector<std::byte> buffer(kHashPart);
  for (std::uint64_t at = 0; at < file_.bytes; at += buffer.size()) {
    if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kHashPart, file_.bytes - at)));
    CARAT_TRY_VOID(source->read_at(at, buffer));
    hash.update(buffer);
    progress(at + buffer.size());
  }
  return to_hex(hash.finish());
}

Result<> PartFile::finish(const std::function<void(std::uint64_t)>& progress, const std::stop_token& stop) {
  CARAT_CHECK(done().size() == file_.bytes);
  if (!file_.sha256.empty()) {
    CARAT_TRY(const std::string found, digest(progress, stop));
    if (found != file_.sha256) {
      const std::lock_guard lock(mutex_);
      ranges_ = {};
      done_bytes_ = 0;
      CARAT_TRY_VOID(write_state(ranges_, false));
      return fail(ErrorKind::kNetwork, "{}: the file is damaged: expected SHA-256 {}, found {}", file_.name,
                  file_.sha256, found);
    }
  }
  // An earlier attempt at a larger file may have left bytes behind the end.
  if (::ftruncate(descriptor_, static_cast<off_t>(file_.bytes)) != 0 || ::fsync(descriptor_) != 0) {
    return std::unexpected(write_error(part_path(), errno));
  }
  CARAT_TRY_VOID(write_state({}, true));
  if (std::rename(part_path().c_str(), path_.c_str()) != 0) {
    return std::unexpected(write_error(path_.string(), errno));
  }
  finished_ = true;
  return {};
}

}  // namespace carat::hub
