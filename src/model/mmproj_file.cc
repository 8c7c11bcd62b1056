#include "model/mmproj_file.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "model/read_vision_config.h"

namespace carat::model {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = "mmproj";
// A folder of thousands of models is possible, one with more projectors than this is a mistake.
constexpr std::size_t kMaxCandidates = 64;

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  return text;
}

// Letters that the names share from their beginning on, the mark and what separates it left out.
std::size_t common_letters(std::string projector, std::string_view model) {
  projector.erase(projector.find(kMark), kMark.size());
  const std::size_t begin = std::min(projector.find_first_not_of("-_."), projector.size());
  const std::string_view rest = std::string_view(projector).substr(begin);
  return static_cast<std::size_t>(std::ranges::mismatch(rest, model).in1 - rest.begin());
}

// Best first.
std::vector<fs::path> candidates(const fs::path& model) {
  const std::string model_name = lower(model.filename().string());
  std::vector<std::pair<std::size_t, fs::path>> found;
  std::error_code error;
  const fs::path folder = model.has_parent_path() ? model.parent_path() : fs::path(".");
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = lower(entry->path().filename().string());
    if (name == model_name || !name.ends_with(".gguf") || name.find(kMark) == std::string::npos) continue;
    found.emplace_back(common_letters(name, model_name), entry->path());
  }
  std::ranges::sort(found, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  found.resize(std::min(found.size(), kMaxCandidates));
  std::vector<fs::path> paths;
  for (auto& [letters, path] : found) paths.push_back(std::move(path));
  return paths;
}

}  // namespace

Result<MmprojFile> open_mmproj(const std::string& path, std::size_t d_model) {
  CARAT_TRY(formats::GgufFile gguf, formats::open_gguf(path));
  CARAT_TRY(const VisionConfig config, vision_config_from_mmproj(gguf));
  if (config.d_model != d_model) {
    return fail(ErrorKind::kInvalidModel,
                "{}: this image projector belongs to another model: clip.vision.projection_dim: expected {}, "
                "found {}",
                path, d_model, config.d_model);
  }
  return MmprojFile{std::move(gguf), config};
}

MmprojSearch find_mmproj_beside(const std::string& model_path, std::size_t d_model) {
  MmprojSearch search;
  for (const fs::path& path : candidates(model_path)) {
    auto opened = open_mmproj(path.string(), d_model);
    if (opened) return {.file = *std::move(opened), .remark = {}};
    if (search.remark.empty()) search.remark = opened.error().message;
  }
  return search;
}

}  // namespace carat::model
