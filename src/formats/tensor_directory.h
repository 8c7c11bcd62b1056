#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_source.h"
#include "base/result.h"
#include "tensor/element_type.h"

namespace carat::formats {

// One tensor of a file: `bytes` bytes at `offset` hold values of `type`, rows contiguous.
struct TensorEntry {
  std::string name;
  tensor::ElementType type = tensor::ElementType::kF32;
  std::vector<std::uint64_t> shape;  // outermost first, e.g. [out, in] of a linear layer
  const ByteSource* source = nullptr;
  std::uint64_t offset = 0;  // from the start of source
  std::uint64_t bytes = 0;
  std::vector<float> row_scales = {};  // [rows], of row-scaled types only
};

// "[640, 2048]"
std::string shape_text(std::span<const std::uint64_t> shape);

// Bytes of a tensor of that shape (one value for []); nullopt when the innermost extent is no multiple of the
// type's block or the product overflows.
std::optional<std::uint64_t> tensor_bytes(tensor::ElementType type, std::span<const std::uint64_t> shape);

// The tensors of one or several files, by name. Owns the files' byte sources.
class TensorDirectory {
 public:
  // Adds the tensors of one file, whose extents are already known to lie inside it; kInvalidModel, naming the
  // file and the tensors, when a name is already there or when two of these extents overlap.
  Result<> add_file(std::shared_ptr<const ByteSource> source, std::vector<TensorEntry> entries);

  // Adds the tensors of another directory; kInvalidModel when a name is in both.
  Result<> merge(TensorDirectory other);

  // The tensor of that name, or null.
  const TensorEntry* find(std::string_view name) const;

  const std::vector<TensorEntry>& entries() const { return entries_; }
  std::uint64_t file_bytes() const;  // of all files together

 private:
  Result<> add(TensorEntry entry);

  std::vector<std::shared_ptr<const ByteSource>> sources_;
  std::vector<TensorEntry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_of_;
};

}  // namespace carat::formats
