#include "hub/model_store.h"

#include <algorithm>
#include <optional>
#include <system_error>

#include "base/nearest_name.h"

namespace carat::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostEntries = 10'000;  // of a folder that is looked through

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_safetensors_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error) && fs::is_regular_file(path / "config.json", error);
}

// "name-00001-of-00003" -> its parts; nullopt for other names.
struct Shard {
  std::string_view name;
  std::string_view number;
};
std::optional<Shard> shard_of(std::string_view stem) {
  constexpr std::string_view kPattern = "-00000-of-00000";
  if (stem.size() <= kPattern.size()) return std::nullopt;
  const std::string_view tail = stem.substr(stem.size() - kPattern.size());
  for (std::size_t i = 0; i < tail.size(); ++i) {
    if (kPattern[i] == '0' ? !is_digit(tail[i]) : kPattern[i] != tail[i]) return std::nullopt;
  }
  return Shard{stem.substr(0, stem.size() - tail.size()), tail.substr(1, 5)};
}

std::optional<StoredModel> model_at(const fs::path& path) {
  std::error_code error;
  if (is_safetensors_folder(path)) return StoredModel{path.filename().string(), path};
  if (path.extension() != ".gguf" || !fs::is_regular_file(path, error)) return std::nullopt;
  const std::string stem = path.stem().string();
  const auto shard = shard_of(stem);
  if (!shard) return StoredModel{stem, path};
  if (shard->number != "00001") return std::nullopt;
  return StoredModel{std::string(shard->name), path};
}

// "q4_k_m", "iq4_xs", "bf16", "f32", "q4_0": what names end with to tell how the weights are stored.
bool is_precision(std::string_view part) {
  if (part == "bf16" || part == "f16" || part == "f32" || part == "sfp8") return true;
  if (part.starts_with('i')) part.remove_prefix(1);
  return part.size() >= 2 && part[0] == 'q' && is_digit(part[1]);
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
  if (models.empty()) return "which holds no model; './dev run' downloads the default one";
  std::vector<std::string_view> known;
  for (const StoredModel& model : models) known.push_back(model.name);
  if (const auto nearest = nearest_name(name, known)) return fmt::format("did you mean '{}'?", *nearest);
  return fmt::format("which holds: {}", names_of(models));
}

}  // namespace

std::string canonical_name(std::string_view name) {
  if (const std::size_t slash = name.rfind('/'); slash != std::string_view::npos)
    name.remove_prefix(slash + 1);
  std::string out;
  for (const char c : name) {
    if (c == ':') {
      out += '-';
    } else {
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  if (out.ends_with(".gguf")) out.resize(out.size() - 5);
  if (out.starts_with("gemma3")) out.replace(0, 6, "gemma-3");
  return out;
}

std::vector<StoredModel> ModelStore::list() const {
  std::vector<StoredModel> models;
  std::error_code error;
  std::size_t seen = 0;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end; entry.increment(error)) {
    if (++seen > kMostEntries) break;
    if (auto model = model_at(entry->path())) models.push_back(std::move(*model));
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
  return find_named(name_or_path);
}

Result<fs::path> ModelStore::find_named(const std::string& asked) const {
  const std::vector<StoredModel> models = list();
  const std::string wanted = canonical_name(asked);
  std::vector<StoredModel> same;
  std::vector<StoredModel> other_precision;
  std::vector<StoredModel> longer;
  for (const StoredModel& model : models) {
    const std::string name = canonical_name(model.name);
    if (name == wanted) same.push_back(model);
    if (!name.starts_with(wanted) || name.size() <= wanted.size() + 1) continue;
    const char border = name[wanted.size()];
    if (border != '-' && border != '.') continue;
    (is_precision(std::string_view(name).substr(wanted.size() + 1)) ? other_precision : longer)
        .push_back(model);
  }
  for (const auto* matches : {&same, &other_precision, &longer}) {
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
    return fail(ErrorKind::kNotFound,
                "no model: none was named with -m, and none is in {}; './dev run' downloads the default one",
                folder_.string());
  }
  return fail(ErrorKind::kUsage, "say which model with -m, or 'model = ...' in config.toml: {} holds {}",
              folder_.string(), names_of(models));
}

}  // namespace carat::hub
