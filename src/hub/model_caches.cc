#include "hub/model_caches.h"

#include <algorithm>
#include <system_error>

#include "base/byte_source.h"
#include "formats/json.h"
#include "hub/file_names.h"

namespace carat::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostEntries = 20'000;
constexpr std::size_t kMostManifestBytes = std::size_t{1} << 20;

// The entries below `folder`, at most `depth` levels down; folders that are links are not entered.
std::vector<fs::path> files_below(const fs::path& folder, int depth) {
  std::vector<fs::path> found;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, error);
  for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
    if (found.size() == kMostEntries) break;
    if (entry.depth() >= depth) entry.disable_recursion_pending();
    std::error_code ignored;
    if (!fs::is_directory(entry->path(), ignored)) found.push_back(entry->path());
  }
  return found;
}

// Whether a file is a GGUF model's first or only one.
bool begins_model(const fs::path& file) {
  if (file.extension() != ".gguf" || is_projector_name(file.filename().string())) return false;
  const std::string stem = file.stem().string();  // the shard is a part of it
  const auto shard = shard_of(stem);
  return !shard || shard->number == "00001";
}

void add_gguf_files(const fs::path& folder, int depth, ModelOrigin origin, const std::string& prefix,
                    std::vector<CachedModel>& out) {
  for (const fs::path& file : files_below(folder, depth)) {
    if (!begins_model(file)) continue;
    out.push_back(
        {fmt::format("{}{}", prefix, file.lexically_relative(folder).generic_string()), origin, file});
  }
}

// The revision that "main" leads to, or any other.
fs::path snapshot_of(const fs::path& repository) {
  const auto revision = read_whole_file((repository / "refs/main").string(), 256);
  if (revision && is_safe_name(*revision)) return repository / "snapshots" / *revision;
  std::error_code error;
  const fs::directory_iterator first(repository / "snapshots", error);
  return error || first == fs::directory_iterator() ? fs::path() : first->path();
}

void add_hugging_face(const fs::path& cache, std::vector<CachedModel>& out) {
  constexpr std::string_view kPrefix = "models--";
  std::error_code error;
  std::size_t seen = 0;
  for (fs::directory_iterator entry(cache, error), end; !error && entry != end; entry.increment(error)) {
    if (++seen > kMostEntries) return;
    const std::string folder = entry->path().filename().string();
    if (!folder.starts_with(kPrefix)) continue;
    const std::string_view repository = std::string_view(folder).substr(kPrefix.size());
    const std::size_t border = repository.find("--");
    if (border == std::string_view::npos) continue;
    const std::string name =
        fmt::format("{}/{}", repository.substr(0, border), repository.substr(border + 2));
    const fs::path snapshot = snapshot_of(entry->path());
    if (snapshot.empty()) continue;
    std::error_code ignored;
    if (fs::is_regular_file(snapshot / "config.json", ignored)) {
      out.push_back({name, ModelOrigin::kHuggingFace, snapshot});
    } else {
      add_gguf_files(snapshot, 1, ModelOrigin::kHuggingFace, fmt::format("{}/", name), out);
    }
  }
}

Result<std::optional<CachedModel>> read_manifest(const fs::path& file, const std::string& name,
                                                 const fs::path& ollama) {
  CARAT_TRY(const std::string text, read_whole_file(file.string(), kMostManifestBytes));
  CARAT_TRY(const auto blob, model_blob_name(text, file.string()));
  if (!blob) return std::nullopt;
  return CachedModel{name, ModelOrigin::kOllama, ollama / "blobs" / *blob};
}

// manifests/registry.ollama.ai/library/gemma3/4b is called gemma3:4b.
void add_ollama(const fs::path& folder, std::vector<CachedModel>& out) {
  const fs::path manifests = folder / "manifests";
  for (const fs::path& file : files_below(manifests, 4)) {
    std::string name = file.lexically_relative(manifests).generic_string();
    const std::size_t tag = name.rfind('/');
    if (tag == std::string::npos) continue;
    name[tag] = ':';
    for (const std::string_view usual : {"registry.ollama.ai/", "library/"}) {
      if (name.starts_with(usual)) name.erase(0, usual.size());
    }
    // A manifest that cannot be read names no model.
    if (auto model = read_manifest(file, name, folder); model && *model) out.push_back(std::move(**model));
  }
}

}  // namespace

Result<std::optional<std::string>> model_blob_name(const std::string& manifest, const std::string& place) {
  CARAT_TRY(const auto document, formats::JsonDocument::parse(manifest, place));
  CARAT_TRY(const auto* layers, document.root().get_array("layers"));
  for (const auto& value : *layers) {
    if (!value.is_object()) continue;
    const formats::JsonObject layer(value.get_object(), "manifest", "layers[]");
    CARAT_TRY(const std::string type, layer.get_string("mediaType"));
    if (type != "application/vnd.ollama.image.model") continue;
    CARAT_TRY(std::string digest, layer.get_string("digest"));
    std::ranges::replace(digest, ':', '-');
    if (!is_safe_name(digest)) return layer.invalid("digest", "'{}' is no file name", digest);
    return digest;
  }
  return std::nullopt;
}

std::string_view to_text(ModelOrigin origin) {
  switch (origin) {
    case ModelOrigin::kStore: return "carat";
    case ModelOrigin::kHuggingFace: return "huggingface";
    case ModelOrigin::kOllama: return "ollama";
    case ModelOrigin::kLmStudio: return "lmstudio";
    case ModelOrigin::kLlamaCpp: return "llama.cpp";
  }
  return "";
}

CacheFolders CacheFolders::from_environment(
    const std::function<std::optional<std::string>(const char* name)>& environment, const fs::path& home) {
  const auto chosen = [&](const char* name, const fs::path& otherwise) {
    const auto value = environment(name);
    return value && !value->empty() ? fs::path(*value) : otherwise;
  };
  const fs::path cache = chosen("XDG_CACHE_HOME", home / ".cache");
  return {.hugging_face = chosen("HF_HUB_CACHE", chosen("HF_HOME", cache / "huggingface") / "hub"),
          .ollama = chosen("OLLAMA_MODELS", home / ".ollama/models"),
          .lm_studio = {home / ".lmstudio/models", home / ".cache/lm-studio/models"},
          .llama_cpp = chosen("LLAMA_CACHE", cache / "llama.cpp")};
}

std::vector<CachedModel> cached_models(const CacheFolders& folders) {
  std::vector<CachedModel> models;
  add_hugging_face(folders.hugging_face, models);
  add_ollama(folders.ollama, models);
  for (const fs::path& folder : folders.lm_studio) {
    add_gguf_files(folder, 2, ModelOrigin::kLmStudio, "", models);
  }
  add_gguf_files(folders.llama_cpp, 0, ModelOrigin::kLlamaCpp, "", models);
  std::ranges::sort(models, {}, &CachedModel::name);
  return models;
}

}  // namespace carat::hub
