// Reading a GGUF header: magic, version, counts, metadata, tensor descriptions. Layout: the GGUF
// specification of ggml (docs/gguf.md). Nothing read from the file is believed before it was compared with a
// bound.
#include <array>
#include <bit>
#include <set>

#include "base/checked_math.h"
#include "formats/gguf.h"
#include "formats/header_reader.h"

namespace carat::formats {
namespace {

// Bounds on what a header may ask for; the largest Gemma 3 files use about a tenth of each. A vocabulary of
// 262,208 pieces with scores and types takes 7 MiB, and as many merges again in files that carry them.
constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxKeys = 4096;
constexpr std::uint64_t kMaxTensors = 16384;
constexpr std::uint64_t kMaxArrayElements = std::uint64_t{1} << 21;
constexpr std::size_t kMaxKeyBytes = 1024;
constexpr std::size_t kMaxStringBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxTensorNameBytes = 63;
constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::uint32_t kDefaultAlignment = 32;
constexpr std::uint32_t kMaxAlignment = std::uint32_t{1} << 20;

constexpr std::array<char, 4> kMagic = {'G', 'G', 'U', 'F'};

// Bytes of one scalar; 0 for strings and arrays, which have no fixed size.
std::size_t scalar_bytes(GgufType type) {
  using enum GgufType;
  switch (type) {
    case kU8:
    case kI8:
    case kBool: return 1;
    case kU16:
    case kI16: return 2;
    case kU32:
    case kI32:
    case kF32: return 4;
    case kU64:
    case kI64:
    case kF64: return 8;
    case kString:
    case kArray: return 0;
  }
  return 0;
}

}  // namespace

class GgufParser {
 public:
  explicit GgufParser(std::shared_ptr<const ByteSource> source)
      : source_(std::move(source)), reader_(*source_, kMaxHeaderBytes) {}

  Result<GgufFile> parse() {
    file_.name_ = source_->name();
    CARAT_TRY_VOID(read_counts());
    for (std::uint64_t i = 0; i < key_count_; ++i) CARAT_TRY_VOID(read_key());
    CARAT_TRY(const auto alignment, file_.find_u32("general.alignment"));
    alignment_ = alignment.value_or(kDefaultAlignment);
    if (!std::has_single_bit(alignment_) || alignment_ > kMaxAlignment) {
      return invalid("general.alignment: expected a power of two up to {}, found {}", kMaxAlignment,
                     alignment_);
    }
    std::vector<TensorEntry> entries;
    entries.reserve(static_cast<std::size_t>(tensor_count_));
    for (std::uint64_t i = 0; i < tensor_count_; ++i) {
      CARAT_TRY(TensorEntry entry, read_tensor());
      entries.push_back(std::move(entry));
    }
    CARAT_TRY_VOID(place(entries));
    CARAT_TRY_VOID(file_.tensors_.add_file(source_, std::move(entries)));
    return std::move(file_);
  }

 private:
  template <class... Args>
  std::unexpected<Error> invalid(fmt::format_string<Args...> format, Args&&... args) const {
    return fail(ErrorKind::kInvalidModel, "{}: {}", source_->name(),
                fmt::format(format, std::forward<Args>(args)...));
  }

  Result<> read_counts() {
    CARAT_TRY(const auto magic, (reader_.read<std::array<char, 4>>("the magic number")));
    if (magic != kMagic) return invalid("this is no GGUF file: it does not begin with 'GGUF'");
    CARAT_TRY(const auto version, reader_.read<std::uint32_t>("the GGUF version"));
    if ((version & 0xffffU) == 0 && version != 0) {
      return invalid("this GGUF file is big-endian; convert it to little-endian first");
    }
    if (version != 2 && version != 3) return invalid("GGUF version: expected 2 or 3, found {}", version);
    CARAT_TRY(tensor_count_, reader_.read<std::uint64_t>("the number of tensors"));
    CARAT_TRY(key_count_, reader_.read<std::uint64_t>("the number of metadata keys"));
    if (tensor_count_ > kMaxTensors) {
      return invalid("number of tensors: at most {} are allowed, found {}", kMaxTensors, tensor_count_);
    }
    if (key_count_ > kMaxKeys) {
      return invalid("number of metadata keys: at most {} are allowed, found {}", kMaxKeys, key_count_);
    }
    return {};
  }

  Result<GgufType> read_type(std::string_view what) {
    CARAT_TRY(const auto number, reader_.read<std::uint32_t>(what));
    if (number > static_cast<std::uint32_t>(GgufType::kF64)) {
      return invalid("{}: unknown metadata type {}", what, number);
    }
    return static_cast<GgufType>(number);
  }

  Result<> read_key() {
    CARAT_TRY(std::string key, reader_.read_string(kMaxKeyBytes, "a metadata key"));
    CARAT_TRY(const GgufType type, read_type(key));
    CARAT_TRY(GgufValue value, read_value(key, type));
    if (key.empty()) return invalid("a metadata key is empty");
    const auto [position, added] = file_.metadata_.emplace(std::move(key), std::move(value));
    if (!added) return invalid("metadata key '{}' occurs twice", position->first);
    return {};
  }

  template <class Stored, class Held>
  Result<GgufValue> read_number(std::string_view key, GgufType type) {
    CARAT_TRY(const auto number, reader_.read<Stored>(key));
    return GgufValue{type, static_cast<Held>(number)};
  }

  Result<GgufValue> read_value(const std::string& key, GgufType type) {
    using enum GgufType;
    switch (type) {
      case kU8: return read_number<std::uint8_t, std::uint64_t>(key, type);
      case kU16: return read_number<std::uint16_t, std::uint64_t>(key, type);
      case kU32: return read_number<std::uint32_t, std::uint64_t>(key, type);
      case kU64: return read_number<std::uint64_t, std::uint64_t>(key, type);
      case kI8: return read_number<std::int8_t, std::int64_t>(key, type);
      case kI16: return read_number<std::int16_t, std::int64_t>(key, type);
      case kI32: return read_number<std::int32_t, std::int64_t>(key, type);
      case kI64: return read_number<std::int64_t, std::int64_t>(key, type);
      case kF32: return read_number<float, double>(key, type);
      case kF64: return read_number<double, double>(key, type);
      case kBool: {
        CARAT_TRY(const auto byte, reader_.read<std::uint8_t>(key));
        if (byte > 1) return invalid("{}: expected a bool, 0 or 1, found {}", key, byte);
        return GgufValue{type, byte == 1};
      }
      case kString: {
        CARAT_TRY(std::string text, reader_.read_string(kMaxStringBytes, key));
        return GgufValue{type, std::move(text)};
      }
      case kArray: {
        CARAT_TRY(GgufArray array, read_array(key));
        return GgufValue{type, std::move(array)};
      }
    }
    return invalid("{}: unknown metadata type", key);
  }

  Result<GgufArray> read_array(std::string_view key) {
    GgufArray array;
    CARAT_TRY(array.element, read_type(key));
    CARAT_TRY(const auto count, reader_.read<std::uint64_t>(key));
    if (array.element == GgufType::kArray) return invalid("{}: arrays of arrays are not supported", key);
    if (count > kMaxArrayElements) {
      return invalid("{}: at most {} array elements are allowed, found {}", key, kMaxArrayElements, count);
    }
    // Strings take 8 bytes at least, so no count can make the reader allocate more than the file could fill.
    const bool strings = array.element == GgufType::kString;
    const std::uint64_t least_bytes = count * (strings ? sizeof(std::uint64_t) : scalar_bytes(array.element));
    if (least_bytes > reader_.remaining()) {
      return invalid("{}: {} array elements need {} bytes or more, but {} are left", key, count, least_bytes,
                     reader_.remaining());
    }
    array.count = static_cast<std::size_t>(count);
    if (strings) {
      array.strings.ends_.reserve(array.count);
      for (std::size_t i = 0; i < array.count; ++i) {
        CARAT_TRY_VOID(reader_.append_string(array.strings.bytes_, kMaxStringBytes, key));
        array.strings.ends_.push_back(array.strings.bytes_.size());
      }
    } else {
      array.bytes.resize(static_cast<std::size_t>(least_bytes));
      CARAT_TRY_VOID(reader_.read_bytes(array.bytes, key));
    }
    return array;
  }

  // The description of one tensor; its offset is still relative to the start of the data.
  Result<TensorEntry> read_tensor() {
    TensorEntry entry;
    CARAT_TRY(entry.name, reader_.read_string(kMaxTensorNameBytes, "a tensor's name"));
    const std::string& name = entry.name;
    CARAT_TRY(const auto dimensions, reader_.read<std::uint32_t>(name));
    if (dimensions < 1 || dimensions > kMaxDimensions) {
      return invalid("tensor '{}': expected 1 to {} dimensions, found {}", name, kMaxDimensions, dimensions);
    }
    entry.shape.resize(dimensions);
    for (std::uint32_t i = 0; i < dimensions; ++i) {  // the file has the innermost extent first
      CARAT_TRY(entry.shape[dimensions - 1 - i], reader_.read<std::uint64_t>(name));
    }
    CARAT_TRY(const auto type_id, reader_.read<std::uint32_t>(name));
    CARAT_TRY(entry.offset, reader_.read<std::uint64_t>(name));
    for (const std::uint64_t extent : entry.shape) {
      if (extent == 0) return invalid("tensor '{}' is empty: shape {}", name, shape_text(entry.shape));
    }
    const auto type = tensor::element_type_from_ggml_id(type_id);
    if (!type) return invalid("tensor '{}' has element type {}, which is not supported", name, type_id);
    entry.type = *type;
    const auto bytes = tensor_bytes(*type, entry.shape);
    if (!bytes) {
      return invalid("tensor '{}' of shape {} cannot be {}: rows come in blocks of {} values", name,
                     shape_text(entry.shape), tensor::info(*type).name, tensor::info(*type).block_values);
    }
    entry.bytes = *bytes;
    entry.source = source_.get();
    return entry;
  }

  // Turns relative offsets into offsets from the start of the file and checks every extent against its size.
  Result<> place(std::vector<TensorEntry>& entries) const {
    const auto data_start = checked_align_up(reader_.position(), alignment_);
    for (TensorEntry& entry : entries) {
      if (entry.offset % alignment_ != 0) {
        return invalid("tensor '{}': offset {} is no multiple of the alignment {}", entry.name, entry.offset,
                       alignment_);
      }
      const auto begin = data_start ? checked_add(*data_start, entry.offset) : std::nullopt;
      const auto end = begin ? checked_add(*begin, entry.bytes) : std::nullopt;
      if (!end || *end > source_->size()) {
        return invalid("tensor '{}' needs {} bytes at data offset {}, but the file has only {} bytes in all",
                       entry.name, entry.bytes, entry.offset, source_->size());
      }
      entry.offset = *begin;
    }
    return {};
  }

  std::shared_ptr<const ByteSource> source_;
  HeaderReader reader_;
  GgufFile file_;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t key_count_ = 0;
  std::uint32_t alignment_ = kDefaultAlignment;
};

Result<GgufFile> read_gguf(std::shared_ptr<const ByteSource> source) {
  return GgufParser(std::move(source)).parse();
}

}  // namespace carat::formats
