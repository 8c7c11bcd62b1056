#include "engine/soft_token_files.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "base/byte_source.h"
#include "base/output_file.h"

namespace carat::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".softtokens";

// In front of the values, which are little-endian f32.
struct Header {
  char magic[8] = {'C', 'A', 'R', 'A', 'T', 'S', 'T', '1'};
  std::uint64_t values = 0;
  Sha256Digest key = {};
  Sha256Digest checksum = {};  // of the values
};
static_assert(sizeof(Header) == 80 && std::endian::native == std::endian::little);

std::span<const std::byte> bytes_of(const Header& header) { return std::as_bytes(std::span(&header, 1)); }

bool prepare_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  return !error;
}

}  // namespace

fs::path SoftTokenFiles::path_of(const Sha256Digest& key) const {
  return folder_ / (to_hex(key) + std::string(kSuffix));
}

std::shared_ptr<const SoftTokens> SoftTokenFiles::find(const Sha256Digest& key, std::size_t values) const {
  const fs::path path = path_of(key);
  const auto file = open_file(path.string());
  Header header;
  if (!file || (*file)->size() != sizeof header + values * sizeof(float)) return nullptr;
  const Header expected{.values = values, .key = key};
  auto tokens = std::make_shared<SoftTokens>(values);
  const std::span<std::byte> payload = std::as_writable_bytes(std::span(*tokens));
  if (!(*file)->read_at(0, std::as_writable_bytes(std::span(&header, 1)))) return nullptr;
  if (!(*file)->read_at(sizeof header, payload)) return nullptr;
  const Header found{.values = header.values, .key = header.key};
  const bool right = std::memcmp(header.magic, expected.magic, sizeof header.magic) == 0 &&
                     std::ranges::equal(bytes_of(found), bytes_of(expected)) &&
                     header.checksum == sha256(payload) &&
                     std::ranges::all_of(*tokens, [](float value) { return std::isfinite(value); });
  if (!right) return nullptr;
  std::error_code ignored;
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
  return tokens;
}

void SoftTokenFiles::keep(const Sha256Digest& key, const SoftTokens& tokens) const {
  const std::span<const std::byte> payload = std::as_bytes(std::span(tokens));
  const std::size_t bytes = sizeof(Header) + payload.size();
  if (bytes > max_bytes_ || !prepare_folder(folder_)) return;
  make_room(bytes);
  const Header header{.values = tokens.size(), .key = key, .checksum = sha256(payload)};
  auto file = OutputFile::create(path_of(key).string(), OutputFile::Access::kPrivate);
  if (!file || !file->write(bytes_of(header)) || !file->write(payload)) return;
  static_cast<void>(file->commit());
}

void SoftTokenFiles::make_room(std::size_t bytes) const {
  struct File {
    fs::file_time_type used;
    fs::path path;
    std::uintmax_t size;
  };
  std::vector<File> files;
  std::uintmax_t total = bytes;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->path().filename().string().ends_with(kSuffix)) continue;
    std::error_code gone;
    File file{entry->last_write_time(gone), entry->path(), entry->file_size(gone)};
    if (gone) continue;
    total += file.size;
    files.push_back(std::move(file));
  }
  std::ranges::sort(files, {}, &File::used);
  for (const File& file : files) {
    if (total <= max_bytes_) return;
    std::error_code ignored;
    if (fs::remove(file.path, ignored)) total -= file.size;
  }
}

}  // namespace carat::engine
