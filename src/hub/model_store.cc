#include "hub/model_store.h"

#include <algorithm>
#include <optional>
#include <system_error>

#include "base/nearest_name.h"
#include "hub/file_names.h"
#include "hub/pull.h"
#include "hub/pull_record.h"

namespace carat::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHowToGetOne =
    "'carat pull gemma-3-1b-it' downloads one that chats ('./dev run' in Carat's sources: the small default "
    "one)";
constexpr std::size_t kMostEntries = 10'000;  // of a folder that is looked through

bool is_safetensors_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error) && fs::is_regular_file(path / "config.json", error);
}

// The name of the model that a GGUF file holds or begins: nullopt for later shards, projectors and others.
std::optional<std::string> model_name_of(const fs::path& file) {
  std::error_code error;
  if (file.extension() != ".gguf" || is_projector_name(file.filename().string())) return std::nullopt;
  if (!fs::is_regular_file(file, error)) return std::nullopt;
  const std::string stem = file.stem().string();
  const auto shard = shard_of(stem);
  if (!shard) return stem;
  return shard->number == "00001" ? std::optional(std::string(shard->name)) : std::nullopt;
}

// At most kMostEntries of them, in no order; none where it cannot be read.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entries.size() == kMostEntries) break;
    entries.push_back(entry->path());
  }
  return entries;
}

std::vector<StoredModel> models_among(const std::vector<fs::path>& files) {
  std::vector<StoredModel> models;
  for (const fs::path& file : files) {
    if (auto name = model_name_of(file)) models.push_back({std::move(*name), file});
  }
  return models;
}

// Those of a folder below the store. A GGUF model alone in its folder has the folder's name.
std::vector<StoredModel> models_in(const fs::path& folder) {
  if (folder.filename().string().ends_with(kPartialSuffix)) return {};
  const auto record = read_record(folder);
  const std::vector<std::string> names = record ? record->names : std::vector<std::string>();
  if (is_safetensors_folder(folder)) return {{folder.filename().string(), folder, names}};
  std::vector<StoredModel> models = models_among(entries_of(folder));
  if (models.size() == 1) models.front() = {folder.filename().string(), models.front().path, names};
  return models;
}

// A publisher may stand before a name, as in google/gemma-3-270m; everything else with a slash is a path.
bool can_only_be_a_path(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  return slash == 0 || text[0] == '.' || text[0] == '~' || text.ends_with(".gguf") ||
         text.rfind('/') != slash;
}

std::string names_of(const std::vector<StoredModel>& models) {
  std::string out;
  for (const StoredModel& model : models) {
    out += (out.empty() ? "" : ", ") + model.name;
  }
  return out;
}

Result<fs::path> only_one(const std::vector<StoredModel>& matches, const std::string& name) {
  if (matches.size() == 1) return matches.front().path;
  return fail(ErrorKind::kUsage, "'{}' could mean any of these models: {}; give the whole name", name,
              names_of(matches));
}

std::string what_there_is(const std::vector<StoredModel>& models, const std::string& name) {
  if (models.empty()) return fmt::format("which holds no model; {}", kHowToGetOne);
  std::vector<std::string_view> known;
  for (const StoredModel& model : models) known.push_back(model.name);
  if (const auto nearest = nearest_names(name, known); !nearest.empty()) return did_you_mean(nearest, "");
  return fmt::format("which holds: {}", names_of(models));
}

}  // namespace

std::string canonical_name(std::string_view name) {
  if (const std::size_t slash = name.rfind('/'); slash != std::string_view::npos)
    name.remove_prefix(slash + 1);
  std::string out = lower_case(name);
  std::ranges::replace(out, ':', '-');
  if (out.ends_with(".gguf")) out.resize(out.size() - 5);
  if (out.starts_with("gemma3")) out.replace(0, 6, "gemma-3");
  return out;
}

std::vector<StoredModel> ModelStore::list() const {
  const std::vector<fs::path> entries = entries_of(folder_);
  std::vector<StoredModel> models = models_among(entries);
  for (const fs::path& entry : entries) {
    std::error_code error;
    if (!fs::is_directory(entry, error)) continue;
    for (StoredModel& model : models_in(entry)) models.push_back(std::move(model));
  }
  std::ranges::sort(models, {}, &StoredModel::name);
  return models;
}

Result<fs::path> ModelStore::find(const std::string& name_or_path) const {
  if (name_or_path.empty() || name_or_path.find('\0') != std::string::npos) {
    return fail(ErrorKind::kUsage, "the model's name is empty or has a zero byte in it");
  }
  // A folder of that name in the working directory may be anything; a file or a folder with a checkpoint is
  // meant.
  std::error_code error;
  const bool names_a_file = fs::exists(name_or_path, error) && !fs::is_directory(name_or_path, error);
  if (names_a_file || is_safetensors_folder(name_or_path)) return fs::path(name_or_path);
  if (can_only_be_a_path(name_or_path)) {
    const bool folder = fs::is_directory(name_or_path, error);
    return fail(ErrorKind::kNotFound, "no model at {}: {}", name_or_path,
                folder ? "the folder has no config.json" : "there is no such file");
  }
  auto found = find_named(name_or_path);
  if (!found && found.error().kind == ErrorKind::kNotFound && fs::is_directory(name_or_path, error)) {
    found.error().message += fmt::format(" (the folder {} here has no config.json)", name_or_path);
  }
  return found;
}

Result<fs::path> ModelStore::find_named(const std::string& asked) const {
  const std::vector<StoredModel> models = list();
  const std::string wanted = canonical_name(asked);
  std::vector<StoredModel> pulled;
  std::vector<StoredModel> same;
  std::vector<StoredModel> other_precision;
  std::vector<StoredModel> longer;
  for (const StoredModel& model : models) {
    const std::string name = canonical_name(model.name);
    if (std::ranges::find(model.other_names, asked) != model.other_names.end()) pulled.push_back(model);
    if (name == wanted) same.push_back(model);
    if (!name.starts_with(wanted) || name.size() <= wanted.size() + 1) continue;
    const char border = name[wanted.size()];
    if (border != '-' && border != '.') continue;
    (is_precision(std::string_view(name).substr(wanted.size() + 1)) ? other_precision : longer)
        .push_back(model);
  }
  for (const auto* matches : {&pulled, &same, &other_precision, &longer}) {
    if (!matches->empty()) return only_one(*matches, asked);
  }
  return fail(ErrorKind::kNotFound, "no model '{}': there is no such file, and none of that name in {}, {}",
              asked, folder_.string(), what_there_is(models, asked));
}

Result<fs::path> ModelStore::find_default() const {
  const std::vector<StoredModel> models = list();
  if (models.size() == 1) return models.front().path;
  auto usual = find_named(std::string(kDefaultModel));
  if (usual || usual.error().kind == ErrorKind::kUsage) return usual;
  if (models.empty()) {
    return fail(ErrorKind::kNotFound, "no model: none was named with -m, and none is in {}; {}",
                folder_.string(), kHowToGetOne);
  }
  return fail(ErrorKind::kUsage, "say which model with -m, or 'model = ...' in config.toml: {} holds {}",
              folder_.string(), names_of(models));
}

}  // namespace carat::hub
