#include "apps/model_fingerprint.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <span>
#include <system_error>
#include <vector>

#include "base/sha256.h"
#include "hub/file_names.h"

namespace carat::apps {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kHeadBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kSampleBytes = 4096;
constexpr std::uint64_t kSamples = 256;

// All files of a folder, or of the folder that a shard lies in; else the one file.
std::vector<fs::path> files_of(const fs::path& model) {
  std::error_code ignored;
  const bool is_folder = fs::is_directory(model, ignored);
  const bool is_shard = hub::shard_of(model.stem().string()).has_value();
  if (!is_folder && !is_shard) return {model};
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(is_folder ? model : model.parent_path(), ignored)) {
    if (entry.is_regular_file(ignored)) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

void add_bytes(std::ifstream& file, std::uint64_t at, std::uint64_t count, Sha256& hash) {
  std::vector<char> bytes(count);
  file.clear();
  file.seekg(static_cast<std::streamoff>(at));
  file.read(bytes.data(), static_cast<std::streamsize>(count));
  hash.update(std::as_bytes(
      std::span(bytes).first(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)))));
}

Result<> add_file(const fs::path& path, Sha256& hash) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return fail(ErrorKind::kFailed, "{}: cannot be read", path.string());
  const auto size = static_cast<std::uint64_t>(file.tellg());
  hash.update(std::as_bytes(std::span(&size, 1)));
  add_bytes(file, 0, std::min(size, kHeadBytes), hash);
  for (std::uint64_t i = 1; i <= kSamples && size > kHeadBytes; ++i)
    add_bytes(file, (size - kSampleBytes) / kSamples * i, kSampleBytes, hash);
  return {};
}

}  // namespace

Result<std::string> model_fingerprint(const fs::path& model, std::string_view options) {
  Sha256 hash;
  hash.update(std::as_bytes(std::span(options)));
  for (const fs::path& file : files_of(model)) CARAT_TRY_VOID(add_file(file, hash));
  return "fp_" + to_hex(hash.finish()).substr(0, 16);
}

}  // namespace carat::apps
