#include "formats/tensor_directory.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/checked_math.h"

namespace carat::formats {
namespace {

Result<> check_disjoint(const ByteSource& source, std::span<const TensorEntry> entries) {
  std::vector<const TensorEntry*> by_offset;
  by_offset.reserve(entries.size());
  for (const TensorEntry& entry : entries) by_offset.push_back(&entry);
  std::ranges::sort(by_offset, {}, &TensorEntry::offset);
  for (std::size_t i = 1; i < by_offset.size(); ++i) {
    const TensorEntry& before = *by_offset[i - 1];
    const TensorEntry& after = *by_offset[i];
    if (after.offset - before.offset < before.bytes) {
      return fail(ErrorKind::kInvalidModel,
                  "{}: tensors '{}' ({} bytes at {}) and '{}' ({} bytes at {}) overlap", source.name(),
                  before.name, before.bytes, before.offset, after.name, after.bytes, after.offset);
    }
  }
  return {};
}

}  // namespace

std::string shape_text(std::span<const std::uint64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::optional<std::uint64_t> tensor_bytes(tensor::ElementType type, std::span<const std::uint64_t> shape) {
  if (shape.empty()) return tensor::row_bytes(type, 1);
  auto bytes = tensor::row_bytes(type, shape.back());
  for (const std::uint64_t extent : shape.first(shape.size() - 1)) {
    if (bytes) bytes = checked_mul(*bytes, extent);
  }
  return bytes;
}

Result<> TensorDirectory::add(TensorEntry entry) {
  if (!index_of_.emplace(entry.name, entries_.size()).second) {
    return fail(ErrorKind::kInvalidModel, "{}: tensor '{}' occurs twice", entry.source->name(), entry.name);
  }
  entries_.push_back(std::move(entry));
  return {};
}

Result<> TensorDirectory::add_file(std::shared_ptr<const ByteSource> source,
                                   std::vector<TensorEntry> entries) {
  CARAT_TRY_VOID(check_disjoint(*source, entries));
  for (TensorEntry& entry : entries) CARAT_TRY_VOID(add(std::move(entry)));
  sources_.push_back(std::move(source));
  return {};
}

Result<> TensorDirectory::merge(TensorDirectory other) {
  for (TensorEntry& entry : other.entries_) CARAT_TRY_VOID(add(std::move(entry)));
  for (auto& source : other.sources_) sources_.push_back(std::move(source));
  return {};
}

const TensorEntry* TensorDirectory::find(std::string_view name) const {
  const auto found = index_of_.find(name);
  return found == index_of_.end() ? nullptr : &entries_[found->second];
}

std::uint64_t TensorDirectory::file_bytes() const {
  std::uint64_t total = 0;
  for (const auto& source : sources_) total += source->size();
  return total;
}

}  // namespace carat::formats
