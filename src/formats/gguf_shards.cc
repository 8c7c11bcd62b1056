// Models split over files NAME-00001-of-0000N.gguf by gguf-split: split.no counts from 0, split.count is N,
// split.tensors.count is the number of tensors in all shards together.
#include <algorithm>
#include <cctype>

#include "formats/gguf.h"

namespace carat::formats {
namespace {

constexpr std::uint32_t kMaxShards = 1000;

Result<GgufFile> open_one(const std::string& path) {
  CARAT_TRY(std::unique_ptr<ByteSource> source, open_file(path));
  return read_gguf(std::move(source));
}

// The path without its `-0000I-of-0000N.gguf`, or nullopt when it does not end like that.
std::optional<std::string> shard_stem(std::string_view path) {
  constexpr std::string_view kPattern = "-#####-of-#####.gguf";
  if (path.size() < kPattern.size()) return std::nullopt;
  const std::string_view tail = path.substr(path.size() - kPattern.size());
  const bool matches = std::ranges::equal(tail, kPattern, [](char actual, char wanted) {
    return wanted == '#' ? std::isdigit(static_cast<unsigned char>(actual)) != 0 : actual == wanted;
  });
  if (!matches) return std::nullopt;
  return std::string(path.substr(0, path.size() - kPattern.size()));
}

Result<> check_split_key(const GgufFile& shard, std::string_view key, std::uint64_t expected) {
  CARAT_TRY(const std::uint32_t actual, shard.get_u32(key));
  if (actual == expected) return {};
  return fail(ErrorKind::kInvalidModel, "{}: {}: expected {}, found {}", shard.name(), key, expected, actual);
}

}  // namespace

Result<GgufFile> open_gguf(const std::string& path) {
  CARAT_TRY(GgufFile given, open_one(path));
  CARAT_TRY(const auto split_count, given.find_u32("split.count"));
  if (split_count.value_or(1) <= 1) return given;
  if (*split_count > kMaxShards) {
    return fail(ErrorKind::kInvalidModel, "{}: split.count: at most {} shards are allowed, found {}", path,
                kMaxShards, *split_count);
  }
  const auto stem = shard_stem(path);
  if (!stem) {
    return fail(ErrorKind::kInvalidModel,
                "{}: one of {} shards, but its name does not end in -0000I-of-{:05}.gguf, so that the others "
                "cannot be found",
                path, *split_count, *split_count);
  }
  const auto shard_path = [&](std::uint32_t index) {
    return fmt::format("{}-{:05}-of-{:05}.gguf", *stem, index + 1, *split_count);
  };
  CARAT_TRY(GgufFile whole, open_one(shard_path(0)));
  CARAT_TRY_VOID(check_split_key(whole, "split.no", 0));
  CARAT_TRY_VOID(check_split_key(whole, "split.count", *split_count));
  for (std::uint32_t index = 1; index < *split_count; ++index) {
    CARAT_TRY(GgufFile shard, open_one(shard_path(index)));
    CARAT_TRY_VOID(check_split_key(shard, "split.no", index));
    CARAT_TRY_VOID(check_split_key(shard, "split.count", *split_count));
    CARAT_TRY_VOID(whole.tensors_.merge(std::move(shard.tensors_)));
  }
  CARAT_TRY_VOID(check_split_key(whole, "split.tensors.count", whole.tensors_.entries().size()));
  return whole;
}

}  // namespace carat::formats
