#include "hub/pull.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <vector>

#include "base/output_file.h"
#include "hub/part_file.h"
#include "hub/pull_record.h"
#include "hub/refusal.h"

namespace carat::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostAnswerBytes = std::size_t{8} << 20;
constexpr std::uint64_t kRoomToSpare = std::uint64_t{64} << 20;

// Asks a service, again where that may help.
Ask asker(const http::Client& client, Waiter& waiter, const PullName& name, const Services& services,
          const std::stop_token& stop) {
  return [&client, &waiter, &name, &services, stop](const http::Request& request) -> Result<std::string> {
    Retries retries;
    while (true) {
      auto answer = client.fetch_text(request, kMostAnswerBytes, stop);
      if (answer && answer->head.status == 200) return std::move(answer->body);
      Error error = answer ? refusal(answer->head, name, services) : answer.error();
      const bool passes = answer ? may_pass(answer->head.status) : error.kind == ErrorKind::kNetwork;
      const auto asked = answer ? parse_retry_after(answer->head.find("Retry-After")) : std::nullopt;
      const auto wait = passes ? retries.next(asked) : std::nullopt;
      if (!wait) return std::unexpected(std::move(error));
      CARAT_TRY_VOID(waiter.wait(*wait, stop));
    }
  };
}

Result<> make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return std::unexpected(write_error(path.string(), error.value()));
  return {};
}

// An open folder that no other process may pull into at the same time.
class FolderLock {
 public:
  static Result<FolderLock> take(const fs::path& folder) {
    FolderLock lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (lock.descriptor_ < 0) return std::unexpected(write_error(folder.string(), errno));
    if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
      return fail(ErrorKind::kFailed, "{}: another pull is at work on this model", folder.string());
    }
    return lock;
  }
  ~FolderLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

std::uint64_t free_bytes_at(const fs::path& path) {
  std::error_code error;
  const fs::space_info space = fs::space(path, error);
  return error ? UINT64_MAX : space.available;  // writing will tell
}

bool is_complete(const fs::path& folder, const PullPlan& plan) {
  const auto record = read_record(folder);
  if (!record || record->files != PullRecord::of(plan).files) return false;
  for (const RemoteFile& file : plan.files) {
    std::error_code error;
    if (fs::file_size(folder / file.name, error) != file.bytes || error) return false;
  }
  return true;
}

// Adds names by which a model that is there was asked for.
Result<> remember_names(const fs::path& folder, const std::vector<std::string>& names) {
  CARAT_TRY(PullRecord record, read_record(folder));
  const std::size_t before = record.names.size();
  for (const std::string& name : names) {
    if (std::ranges::find(record.names, name) == record.names.end()) record.names.push_back(name);
  }
  if (record.names.size() == before) return {};
  return write_file((folder / kRecordName).string(), record.to_json());
}

// Gives the finished folder its name; what was there before under that name goes.
Result<> place(const fs::path& partial, const fs::path& folder) {
  if (::rename(partial.c_str(), folder.c_str()) == 0) return {};
  const bool taken = errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR;
  if (!taken || ::renameat2(AT_FDCWD, partial.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) != 0) {
    return std::unexpected(write_error(folder.string(), errno));
  }
  std::error_code ignored;  // what is left over is overwritten by the next pull
  fs::remove_all(partial, ignored);
  return {};
}

// One pull of one plan into its folder.
class FolderPull {
 public:
  FolderPull(const PullPlan& plan, const PullOptions& options, fs::path partial)
      : plan_(plan), options_(options), partial_(std::move(partial)) {}

  // Opens what an earlier pull left, and checks that the rest has room.
  Result<> open_parts() {
    std::uint64_t done = 0;
    for (const RemoteFile& file : plan_.files) {
      CARAT_TRY(auto part, PartFile::open(partial_ / file.name, file));
      done += part->done_bytes();
      parts_.push_back(std::move(part));
    }
    const std::uint64_t need = plan_.bytes() - done + kRoomToSpare;
    const std::uint64_t room = options_.free_bytes ? options_.free_bytes(partial_) : free_bytes_at(partial_);
    if (need <= room) return {};
    return fail(ErrorKind::kDiskFull, "{}: pulling {} needs {} MB, but only {} MB are free",
                options_.store.string(), plan_.folder, need / 1'000'000, room / 1'000'000);
  }

  Result<> fetch(Download how, const std::stop_token& stop) {
    const std::uint64_t total = plan_.bytes();
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      how.progress = [&](std::uint64_t) { options_.progress(PullPhase::kDownloading, done_bytes(), total); };
      if (!parts_[i]->is_finished()) CARAT_TRY_VOID(download(plan_.files[i], *parts_[i], how, stop));
    }
    std::uint64_t checked = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const auto progress = [&](std::uint64_t done) {
        options_.progress(PullPhase::kChecking, checked + done, total);
      };
      if (!parts_[i]->is_finished()) CARAT_TRY_VOID(parts_[i]->finish(progress, stop));
      checked += plan_.files[i].bytes;
    }
    return {};
  }

  // Leaves the files of the plan and their record alone in the folder.
  Result<> tidy() {
    parts_.clear();
    std::error_code error;
    for (fs::directory_iterator entry(partial_, error), end; !error && entry != end; entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      const bool wanted = std::ranges::find(plan_.files, name, &RemoteFile::name) != plan_.files.end();
      std::error_code ignored;
      if (!wanted) fs::remove_all(entry->path(), ignored);
    }
    return write_file((partial_ / kRecordName).string(), PullRecord::of(plan_).to_json());
  }

 private:
  std::uint64_t done_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& part : parts_) sum += part->done_bytes();
    return sum;
  }

  const PullPlan& plan_;
  const PullOptions& options_;
  fs::path partial_;
  std::vector<std::unique_ptr<PartFile>> parts_;
};

}  // namespace

Result<Pulled> pull(std::string_view name, const http::Client& client, Waiter& waiter,
                    const PullOptions& options, const std::stop_token& stop) {
  CARAT_TRY(const PullName wanted, parse_pull_name(name));
  const Ask ask = asker(client, waiter, wanted, options.services, stop);
  const auto* hugging_face = std::get_if<HuggingFaceName>(&wanted);
  CARAT_TRY(PullPlan plan, hugging_face != nullptr
                               ? plan_hugging_face(*hugging_face, options.services, ask)
                               : plan_ollama(std::get<OllamaName>(wanted), options.services, ask));
  if (name != plan.source) plan.names.emplace_back(name);

  const fs::path folder = options.store / plan.folder;
  Pulled pulled{.name = plan.folder, .folder = folder, .plan = plan};
  pulled.was_there = is_complete(folder, plan);
  if (pulled.was_there) {
    CARAT_TRY_VOID(remember_names(folder, plan.names));
    return pulled;
  }

  const fs::path partial = options.store / (plan.folder + std::string(kPartialSuffix));
  CARAT_TRY_VOID(make_folder(partial));
  CARAT_TRY(const FolderLock lock, FolderLock::take(partial));
  FolderPull work(plan, options, partial);
  CARAT_TRY_VOID(work.open_parts());
  CARAT_TRY_VOID(work.fetch(
      {.client = client,
       .waiter = waiter,
       .options = options.download,
       .authorization = plan.authorization,
       .refusal = [&](const http::ResponseHead& head) { return refusal(head, wanted, options.services); },
       .progress = {}},
      stop));
  CARAT_TRY_VOID(work.tidy());
  CARAT_TRY_VOID(place(partial, folder));
  return pulled;
}

}  // namespace carat::hub
