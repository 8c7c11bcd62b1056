#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/byte_source.h"
#include "base/result.h"
#include "formats/tensor_directory.h"

namespace carat::formats {

// Type numbers of GGUF metadata values.
enum class GgufType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};
std::string_view gguf_type_name(GgufType type);

// Strings one after the other in one block of memory: a vocabulary of 262,144 takes three allocations.
class StringArray {
 public:
  std::size_t size() const { return ends_.size(); }
  std::string_view operator[](std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(bytes_.data(), bytes_.size()).substr(begin, ends_[i] - begin);
  }
  std::vector<std::string_view> views() const;  // valid as long as this array

 private:
  friend class GgufParser;
  std::vector<char> bytes_;
  std::vector<std::size_t> ends_;
};

// One metadata value. Numbers keep the bytes and type they have in the file; getters convert and check.
struct GgufArray {
  GgufType element = GgufType::kU8;
  std::size_t count = 0;
  std::vector<std::byte> bytes;  // of numbers and bools, packed
  StringArray strings;
};
struct GgufValue {
  GgufType type = GgufType::kU8;
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string, GgufArray> value;
};

// An opened and checked GGUF file, or a set of shards read as one. Every count, length and extent was
// compared with the file before use. Values are reached through typed getters only: a value of another type,
// or one out of range, is kInvalidModel naming file, key, expected and actual type.
class GgufFile {
 public:
  const std::string& name() const { return name_; }
  const TensorDirectory& tensors() const { return tensors_; }
  const std::map<std::string, GgufValue, std::less<>>& metadata() const { return metadata_; }

  // nullopt when the file does not have the key.
  Result<std::optional<std::uint32_t>> find_u32(std::string_view key) const;  // any integer type that fits
  Result<std::optional<float>> find_f32(std::string_view key) const;          // f32 or f64
  Result<std::optional<bool>> find_bool(std::string_view key) const;
  Result<std::optional<std::string>> find_string(std::string_view key) const;
  bool is_array(std::string_view key) const;

  // The same for keys that must be there.
  Result<std::uint32_t> get_u32(std::string_view key) const;
  Result<float> get_f32(std::string_view key) const;
  Result<std::string> get_string(std::string_view key) const;
  Result<std::vector<float>> get_f32_array(std::string_view key) const;
  Result<std::vector<std::int32_t>> get_i32_array(std::string_view key) const;  // i32, or u32 that fit
  Result<std::vector<bool>> get_bool_array(std::string_view key) const;
  Result<const StringArray*> get_string_array(std::string_view key) const;

 private:
  friend class GgufParser;
  friend Result<GgufFile> open_gguf(const std::string& path);

  const GgufValue* find(std::string_view key) const;
  std::unexpected<Error> wrong_type(std::string_view key, std::string_view expected,
                                    const GgufValue& actual) const;
  // The array of that key, which must be there and hold elements of one of the types.
  Result<const GgufArray*> get_array(std::string_view key, std::initializer_list<GgufType> elements,
                                     std::string_view expected) const;
  std::unexpected<Error> lacks(std::string_view key) const;
  template <class T>
  Result<T> required(const Result<std::optional<T>>& found, std::string_view key) const;

  std::string name_;
  std::map<std::string, GgufValue, std::less<>> metadata_;
  TensorDirectory tensors_;
};

// Reads and checks the header of one GGUF file, version 2 or 3.
Result<GgufFile> read_gguf(std::shared_ptr<const ByteSource> source);

// Opens a file or, given any shard `NAME-0000I-of-0000N.gguf` of a split model, all its shards beside it as
// one model with the metadata of the first. kNotFound when a file is missing.
Result<GgufFile> open_gguf(const std::string& path);

}  // namespace carat::formats
