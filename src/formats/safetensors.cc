// The safetensors format: a u64 with the length of a JSON header, the header, then the data. Each header
// member but __metadata__ is a tensor: {"dtype", "shape", "data_offsets": [begin, end]} relative to the data.
#include "formats/safetensors.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/byte_source.h"
#include "formats/header_reader.h"
#include "formats/json.h"
#include "formats/quantization_block.h"

namespace carat::formats {
namespace {

namespace fs = std::filesystem;

// The header of a 27B checkpoint takes about 150 kB for 1,200 tensors.
constexpr std::size_t kMaxHeaderBytes = std::size_t{8} << 20;
constexpr std::size_t kMaxTensors = 16'384;
constexpr std::size_t kMaxDimensions = 8;
constexpr std::size_t kMaxFiles = 1000;

Result<tensor::ElementType> element_type(const JsonObject& header) {
  CARAT_TRY(const std::string dtype, header.get_string("dtype"));
  if (dtype == "F32") return tensor::ElementType::kF32;
  if (dtype == "F16") return tensor::ElementType::kF16;
  if (dtype == "BF16") return tensor::ElementType::kBF16;
  // What the bytes stand for is told by the metadata, where every such tensor must be described.
  if (dtype == "U8") return tensor::ElementType::kSFP8;
  return header.invalid("dtype", "expected F32, F16, BF16 or U8, found {}", dtype);
}

// An array of unsigned integers, at most `most` of them.
Result<std::vector<std::uint64_t>> unsigned_array(const JsonObject& header, std::string_view name,
                                                  std::size_t most) {
  CARAT_TRY(const boost::json::array* array, header.get_array(name));
  if (array->size() > most) {
    return header.invalid(name, "expected at most {} numbers, found {}", most, array->size());
  }
  std::vector<std::uint64_t> numbers;
  for (const boost::json::value& element : *array) {
    boost::json::error_code error;
    numbers.push_back(element.to_number<std::uint64_t>(error));
    if (error) return header.invalid(name, "element {} is no unsigned integer", numbers.size() - 1);
  }
  return numbers;
}

// One tensor's description; its offset is still relative to the start of the data.
Result<TensorEntry> read_entry(const JsonObject& header, std::string_view name) {
  TensorEntry entry;
  entry.name = name;
  CARAT_TRY(entry.type, element_type(header));
  CARAT_TRY(entry.shape, unsigned_array(header, "shape", kMaxDimensions));
  if (std::ranges::find(entry.shape, 0U) != entry.shape.end()) {
    return header.invalid("shape", "the tensor is empty: {}", shape_text(entry.shape));
  }
  CARAT_TRY(const auto offsets, unsigned_array(header, "data_offsets", 2));
  const auto bytes = tensor_bytes(entry.type, entry.shape);
  if (!bytes) return header.invalid("shape", "{} is too large", shape_text(entry.shape));
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] - offsets[0] != *bytes) {
    return header.invalid("data_offsets", "expected an extent of {} bytes, found {}", *bytes,
                          shape_text(offsets));
  }
  entry.offset = offsets[0];
  entry.bytes = *bytes;
  return entry;
}

// The data must be covered exactly, so that nothing hides between tensors; turns offsets into file offsets.
Result<> place(std::vector<TensorEntry>& entries, const ByteSource& source, std::uint64_t data_start) {
  std::ranges::sort(entries, {}, &TensorEntry::offset);
  std::uint64_t end = 0;
  for (TensorEntry& entry : entries) {
    if (entry.offset != end) {
      return fail(ErrorKind::kInvalidModel, "{}: tensor '{}': expected data offset {}, found {}",
                  source.name(), entry.name, end, entry.offset);
    }
    end += entry.bytes;  // equals the checked end of the extent
    if (end > source.size() - data_start) {
      return fail(ErrorKind::kInvalidModel, "{}: tensor '{}' ends at data offset {}, but the data end at {}",
                  source.name(), entry.name, end, source.size() - data_start);
    }
    entry.source = &source;
    entry.offset += data_start;
  }
  if (end != source.size() - data_start) {
    return fail(ErrorKind::kInvalidModel, "{}: expected {} bytes of data, found {}", source.name(), end,
                source.size() - data_start);
  }
  return {};
}

Result<TensorDirectory> open_one(const std::string& path) {
  CARAT_TRY(std::unique_ptr<ByteSource> source, open_file(path));
  return read_safetensors(std::move(source));
}

// Opens every file that the index names and checks that it names each tensor's file rightly.
Result<TensorDirectory> open_index(const fs::path& index_path) {
  CARAT_TRY(const std::string text, read_whole_file(index_path.string(), kMaxHeaderBytes));
  CARAT_TRY(const JsonDocument document, JsonDocument::parse(text, index_path.string()));
  CARAT_TRY(const JsonObject weight_map, document.root().get_object("weight_map"));
  std::set<std::string> files;
  for (const auto& member : weight_map.members()) {
    CARAT_TRY(std::string file, weight_map.get_string(member.key()));
    // The files lie beside the index: a path out of the folder is an attack or a mistake.
    if (file.empty() || file == "." || file == ".." ||
        file.find_first_of(std::string_view("/\0", 2)) != file.npos) {
      return weight_map.invalid(member.key(), "expected the name of a file beside the index, found '{}'",
                                file);
    }
    files.insert(std::move(file));
  }
  if (files.size() > kMaxFiles) {
    return document.root().invalid("weight_map", "at most {} files are allowed, found {}", kMaxFiles,
                                   files.size());
  }
  TensorDirectory all;
  for (const std::string& file : files) {
    CARAT_TRY(TensorDirectory one, open_one((index_path.parent_path() / file).string()));
    CARAT_TRY_VOID(all.merge(std::move(one)));
  }
  for (const auto& member : weight_map.members()) {
    CARAT_TRY(const std::string file, weight_map.get_string(member.key()));
    const TensorEntry* entry = all.find(member.key());
    if (entry == nullptr || entry->source->name() != (index_path.parent_path() / file).string()) {
      return weight_map.invalid(member.key(), "the tensor is not in {}", file);
    }
  }
  return all;
}

}  // namespace

Result<TensorDirectory> read_safetensors(std::shared_ptr<const ByteSource> source) {
  HeaderReader reader(*source, sizeof(std::uint64_t) + kMaxHeaderBytes);
  CARAT_TRY(const std::string header, reader.read_string(kMaxHeaderBytes, "the safetensors header"));
  CARAT_TRY(const JsonDocument document, JsonDocument::parse(header, source->name()));
  const JsonObject root = document.root();
  if (root.members().size() > kMaxTensors) {
    return fail(ErrorKind::kInvalidModel, "{}: at most {} tensors are allowed, found {}", source->name(),
                kMaxTensors, root.members().size());
  }
  std::vector<TensorEntry> entries;
  std::string quantization;
  for (const auto& member : root.members()) {
    const std::string_view name(member.key().data(), member.key().size());
    if (name == "__metadata__") {
      CARAT_TRY(const JsonObject metadata, root.get_object(name));
      CARAT_TRY(const auto text, metadata.find_string(kQuantizationKey));
      quantization = text.value_or("");
      continue;
    }
    CARAT_TRY(const JsonObject description, root.get_object(name));
    CARAT_TRY(TensorEntry entry, read_entry(description, name));
    entries.push_back(std::move(entry));
  }
  CARAT_TRY_VOID(place(entries, *source, reader.position()));
  CARAT_TRY_VOID(apply_quantization(quantization, source->name(), entries));
  TensorDirectory directory;
  CARAT_TRY_VOID(directory.add_file(std::move(source), std::move(entries)));
  return directory;
}

Result<TensorDirectory> open_safetensors(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    const fs::path index = fs::path(path) / "model.safetensors.index.json";
    if (fs::exists(index, ignored)) return open_index(index);
    return open_one((fs::path(path) / "model.safetensors").string());
  }
  if (path.ends_with(".json")) return open_index(path);
  return open_one(path);
}

}  // namespace carat::formats
