#include "hub/placing.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>
#include <vector>

#include "base/output_file.h"
#include "hub/file_names.h"
#include "hub/part_file.h"
#include "hub/pull_record.h"

namespace carat::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kKeptSuffix = ".kept";
constexpr int kMostKeptFolders = 1000;

// What a pull was of, whichever precision or file of it was named: the folder's name tells that.
std::string origin_of(const std::string& service, std::string_view source) {
  if (service == "huggingface") {
    source = source.substr(0, source.find(':'));
    const std::size_t owner = source.find('/');
    if (owner != std::string_view::npos) source = source.substr(0, source.find('/', owner + 1));
  }
  return fmt::format("{} {}", service, lower_case(source));
}

enum class Holder { kNobody, kThisModel, kOther };

struct Occupant {
  Holder holder = Holder::kNobody;
  std::string what = {};  // for messages
};

Occupant occupant_of(const fs::path& folder, const PullPlan& plan) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(folder, error);
  if (status.type() == fs::file_type::not_found) return {};
  if (status.type() == fs::file_type::symlink) return {Holder::kOther, "is a link"};
  if (status.type() != fs::file_type::directory) return {Holder::kOther, "is not a folder"};
  if (fs::is_empty(folder, error)) return {};
  const auto record = read_record(folder);
  if (!record) return {Holder::kOther, "holds files that no pull put there"};
  if (origin_of(record->service, record->source) == origin_of(plan.service, plan.source)) {
    return {Holder::kThisModel};
  }
  return {Holder::kOther, fmt::format("holds the model pulled from {}", record->source)};
}

std::unexpected<Error> taken(const fs::path& folder, const Occupant& occupant) {
  return fail(ErrorKind::kFailed, "{} {}: rename or remove it, then pull again", folder.string(),
              occupant.what);
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    entries.push_back(entry->path());
  }
  return entries;
}

bool has_size(const fs::path& file, std::uint64_t bytes) {
  std::error_code error;
  const bool regular = fs::symlink_status(file, error).type() == fs::file_type::regular;
  return regular && fs::file_size(file, error) == bytes && !error;
}

// Removes the files that the record names, as they were pulled, and the record itself.
void remove_pulled(const fs::path& folder, const PullRecord& record) {
  std::error_code ignored;
  for (const PullRecord::File& file : record.files) {
    if (has_size(folder / file.name, file.bytes)) fs::remove(folder / file.name, ignored);
  }
  fs::remove(folder / kRecordName, ignored);
}

// Moves what is in `from` into `to`, but nothing onto something else.
void move_entries(const fs::path& from, const fs::path& to) {
  for (const fs::path& entry : entries_of(from)) {
    const fs::path target = to / entry.filename();
    ::renameat2(AT_FDCWD, entry.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE);  // or it stays
  }
}

// "NAME.kept" beside `folder`, or "NAME.kept-2" and so on. What cannot be renamed stays where it is.
fs::path keep_beside(const fs::path& rest, const fs::path& folder) {
  for (int number = 1; number < kMostKeptFolders; ++number) {
    fs::path kept = folder;
    kept += std::string(kKeptSuffix) + (number == 1 ? "" : fmt::format("-{}", number));
    std::error_code error;
    if (fs::symlink_status(kept, error).type() != fs::file_type::not_found) continue;
    fs::rename(rest, kept, error);
    return error ? rest : kept;
  }
  return rest;
}

}  // namespace

bool is_complete(const fs::path& folder, const PullPlan& plan) {
  const auto record = read_record(folder);
  if (!record || record->files != PullRecord::of(plan).files) return false;
  return std::ranges::all_of(plan.files, [&](const RemoteFile& file) {
    std::error_code error;
    return fs::file_size(folder / file.name, error) == file.bytes && !error;
  });
}

Result<std::string> choose_folder(const fs::path& store, const PullPlan& plan) {
  std::vector<std::string> names{plan.folder};
  if (!plan.other_folder.empty()) names.push_back(plan.other_folder);
  for (const std::string& name : names) {
    if (is_complete(store / name, plan)) return name;
  }
  for (const Holder wanted : {Holder::kThisModel, Holder::kNobody}) {
    for (const std::string& name : names) {
      if (occupant_of(store / name, plan).holder == wanted) return name;
    }
  }
  return taken(store / names.back(), occupant_of(store / names.back(), plan));
}

Result<std::optional<fs::path>> place(const fs::path& partial, const fs::path& folder, const PullPlan& plan) {
  // Takes a name that is free or an empty folder's, and no other.
  if (::rename(partial.c_str(), folder.c_str()) == 0) return std::nullopt;
  const int problem = errno;
  const Occupant occupant = occupant_of(folder, plan);
  if (occupant.holder == Holder::kOther) return taken(folder, occupant);
  if (occupant.holder == Holder::kNobody) return std::unexpected(write_error(folder.string(), problem));
  CARAT_TRY(const PullRecord old, read_record(folder));
  if (::renameat2(AT_FDCWD, partial.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) != 0) {
    return std::unexpected(write_error(folder.string(), errno));
  }
  remove_pulled(partial, old);
  move_entries(partial, folder);
  if (::rmdir(partial.c_str()) == 0) return std::nullopt;
  return keep_beside(partial, folder);
}

void tidy_partial(const fs::path& partial, const PullPlan& plan) {
  std::set<std::string> of_pulls;
  const std::vector<fs::path> entries = entries_of(partial);
  for (const fs::path& entry : entries) {
    const std::string name = entry.filename().string();
    if (name.ends_with(kPartSuffix)) of_pulls.insert(name);
    if (!name.ends_with(kStateSuffix)) continue;
    of_pulls.insert(name);
    of_pulls.insert(name.substr(0, name.size() - kStateSuffix.size()));
  }
  for (const RemoteFile& file : plan.files) of_pulls.erase(file.name);
  for (const fs::path& entry : entries) {
    std::error_code ignored;  // a folder is none of theirs and stays unless it is empty
    if (of_pulls.contains(entry.filename().string())) fs::remove(entry, ignored);
  }
}

}  // namespace carat::hub
