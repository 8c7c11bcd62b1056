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
#include "base/size_text.h"
#include "hub/model_summary.h"
#include "hub/part_file.h"
#include "hub/placing.h"
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
      const bool cut = error.kind == ErrorKind::kNetwork && !http::is_unreachable(error);
      const bool passes = answer ? may_pass(answer->head.status) : cut;
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
    // Not a link: what it leads to is somebody else's.
    FolderLock lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (lock.descriptor_ < 0) {
      return fail(ErrorKind::kFailed, "{}: cannot be opened as a folder ({}): rename or remove it",
                  folder.string(), std::strerror(errno));
    }
    if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0 || !lock.is_at(folder)) {
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

  // False when another pull gave the folder its final name in the meantime.
  bool is_at(const fs::path& folder) const {
    struct stat opened = {};
    struct stat named = {};
    return ::fstat(descriptor_, &opened) == 0 && ::lstat(folder.c_str(), &named) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
  }

  int descriptor_;
};

std::uint64_t free_bytes_at(const fs::path& path) {
  std::error_code error;
  const fs::space_info space = fs::space(path, error);
  return error ? UINT64_MAX : space.available;  // writing will tell
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
      resumed_.push_back(part->done_bytes() > 0);
      parts_.push_back(std::move(part));
    }
    const std::uint64_t need = plan_.bytes() - done + kRoomToSpare;
    const std::uint64_t room = options_.free_bytes ? options_.free_bytes(partial_) : free_bytes_at(partial_);
    if (need <= room) return {};
    return fail(ErrorKind::kDiskFull, "{}: pulling {} needs {}, but only {} are free",
                options_.store.string(), plan_.folder, file_size_text(need), file_size_text(room));
  }

  Result<> fetch(Download how, const std::stop_token& stop) {
    const std::uint64_t total = plan_.bytes();
    how.progress = [&](std::uint64_t) { options_.progress(PullPhase::kDownloading, done_bytes(), total); };
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i]->is_finished()) continue;
      how.look = [this, i] { return check_family(i); };
      CARAT_TRY_VOID(download(plan_.files[i], *parts_[i], how, stop));
      // There is nothing to compare it with, and config.json is wanted soon.
      if (plan_.files[i].sha256.empty()) CARAT_TRY_VOID(parts_[i]->finish([](std::uint64_t) {}, stop));
    }
    how.look = [] { return Result<>(); };
    std::uint64_t checked = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const auto progress = [&](std::uint64_t done) {
        options_.progress(PullPhase::kChecking, checked + done, total);
      };
      if (!parts_[i]->is_finished()) CARAT_TRY_VOID(finish(i, how, progress, stop));
      checked += plan_.files[i].bytes;
    }
    return {};
  }

  // Whether what is there now is a model; its remark.
  Result<std::string> check_model() const {
    const fs::path path = model_path();
    if (options_.check_model) {
      CARAT_TRY_VOID(options_.check_model(path));
      return "";
    }
    const auto summary = summarize_model(path);
    if (!summary) {
      return fail(
          ErrorKind::kInvalidModel,
          "{}: what was downloaded cannot be used: {}. It is the file that is offered there, so pulling "
          "it again does not help: choose another one, and remove {}, which has {}",
          plan_.source, summary.error().message, partial_.string(), file_size_text(plan_.bytes()));
    }
    if (!*summary) return foreign(foreign_family(path).value_or("unknown"));
    return (*summary)->remark;
  }

  // Leaves the files of the plan and their record in the folder.
  Result<> tidy() {
    parts_.clear();
    tidy_partial(partial_, plan_);
    return write_file((partial_ / kRecordName).string(), PullRecord::of(plan_).to_json());
  }

 private:
  std::uint64_t done_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& part : parts_) sum += part->done_bytes();
    return sum;
  }

  // Checks file `i`. Bytes that an earlier pull left may have gone bad since: they are fetched again, once.
  Result<> finish(std::size_t i, const Download& how, const std::function<void(std::uint64_t)>& progress,
                  const std::stop_token& stop) {
    const Result<> checked = parts_[i]->finish(progress, stop);
    const bool damaged = !checked && checked.error().kind == ErrorKind::kNetwork;
    if (!damaged || !resumed_[i]) return checked;
    CARAT_TRY_VOID(download(plan_.files[i], *parts_[i], how, stop));
    return parts_[i]->finish(progress, stop);
  }

  // The first shard of a GGUF model, or the folder of a safetensors one.
  fs::path model_path() const {
    for (const RemoteFile& file : plan_.files) {
      if (file.role == FileRole::kModel && file.name.ends_with(".gguf")) return partial_ / file.name;
    }
    return partial_;
  }

  // Once the first bytes of file `i` are there: whether it is worth going on with gigabytes of it.
  Result<> check_family(std::size_t i) const {
    if (plan_.files[i].role != FileRole::kModel || options_.check_model) return {};
    const bool gguf = plan_.files[i].name.ends_with(".gguf");
    const auto family = foreign_family(gguf ? fs::path(parts_[i]->part_path()) : partial_);
    return family ? foreign(*family) : Result<>();
  }

  std::unexpected<Error> foreign(const std::string& family) const {
    return fail(ErrorKind::kInvalidModel,
                "{}: this is a model of the family '{}', and Carat runs Gemma 3 alone; nothing came into the "
                "store, and {} can be removed",
                plan_.source, family, partial_.string());
  }

  const PullPlan& plan_;
  const PullOptions& options_;
  fs::path partial_;
  std::vector<std::unique_ptr<PartFile>> parts_;
  std::vector<bool> resumed_;  // whether a part was begun by an earlier pull
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

  CARAT_TRY(plan.folder, choose_folder(options.store, plan));
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
       .progress = {},
       .look = {}},
      stop));
  CARAT_TRY(pulled.remark, work.check_model());
  CARAT_TRY_VOID(work.tidy());
  CARAT_TRY(const auto kept, place(partial, folder, plan));
  if (kept) pulled.remark = fmt::format("files that no pull put there are kept in {}", kept->string());
  return pulled;
}

}  // namespace carat::hub
