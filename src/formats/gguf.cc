#include "formats/gguf.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace carat::formats {
namespace {

constexpr std::array<std::string_view, 13> kTypeNames = {
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};

std::string type_text(const GgufValue& value) {
  const auto* array = std::get_if<GgufArray>(&value.value);
  if (array == nullptr) return std::string(gguf_type_name(value.type));
  return fmt::format("array of {} {}", array->count, gguf_type_name(array->element));
}

// The packed elements of an array, whose stored type has the size of T.
template <class T>
std::vector<T> unpack(const GgufArray& array) {
  std::vector<T> values(array.count);
  if (!values.empty()) std::memcpy(values.data(), array.bytes.data(), array.count * sizeof(T));
  return values;
}

}  // namespace

std::string_view gguf_type_name(GgufType type) { return kTypeNames[static_cast<std::size_t>(type)]; }

std::vector<std::string_view> StringArray::views() const {
  std::vector<std::string_view> all(size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = (*this)[i];
  return all;
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

std::unexpected<Error> GgufFile::wrong_type(std::string_view key, std::string_view expected,
                                            const GgufValue& actual) const {
  return fail(ErrorKind::kInvalidModel, "{}: {}: expected {}, found {}", name_, key, expected,
              type_text(actual));
}

Result<std::optional<std::uint32_t>> GgufFile::find_u32(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
  if (const auto* number = std::get_if<std::uint64_t>(&value->value)) {
    if (*number <= kMax) return static_cast<std::uint32_t>(*number);
    return fail(ErrorKind::kInvalidModel, "{}: {}: expected at most {}, found {}", name_, key, kMax, *number);
  }
  if (const auto* number = std::get_if<std::int64_t>(&value->value)) {
    if (*number >= 0 && *number <= kMax) return static_cast<std::uint32_t>(*number);
    return fail(ErrorKind::kInvalidModel, "{}: {}: expected 0 to {}, found {}", name_, key, kMax, *number);
  }
  return wrong_type(key, "an integer", *value);
}

Result<std::optional<float>> GgufFile::find_f32(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto* number = std::get_if<double>(&value->value);
  if (number == nullptr) return wrong_type(key, "a float", *value);
  return static_cast<float>(*number);
}

Result<std::optional<bool>> GgufFile::find_bool(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto* flag = std::get_if<bool>(&value->value);
  if (flag == nullptr) return wrong_type(key, "a bool", *value);
  return *flag;
}

Result<std::optional<std::string>> GgufFile::find_string(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto* text = std::get_if<std::string>(&value->value);
  if (text == nullptr) return wrong_type(key, "a string", *value);
  return *text;
}

bool GgufFile::is_array(std::string_view key) const {
  const GgufValue* value = find(key);
  return value != nullptr && std::holds_alternative<GgufArray>(value->value);
}

std::unexpected<Error> GgufFile::lacks(std::string_view key) const {
  return fail(ErrorKind::kInvalidModel, "{}: the metadata lacks {}", name_, key);
}

template <class T>
Result<T> GgufFile::required(const Result<std::optional<T>>& found, std::string_view key) const {
  if (!found) return std::unexpected(found.error());
  if (!found->has_value()) return lacks(key);
  return **found;
}

Result<std::uint32_t> GgufFile::get_u32(std::string_view key) const { return required(find_u32(key), key); }

Result<float> GgufFile::get_f32(std::string_view key) const { return required(find_f32(key), key); }

Result<std::string> GgufFile::get_string(std::string_view key) const {
  return required(find_string(key), key);
}

Result<const GgufArray*> GgufFile::get_array(std::string_view key, std::initializer_list<GgufType> elements,
                                             std::string_view expected) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return lacks(key);
  const auto* array = std::get_if<GgufArray>(&value->value);
  if (array == nullptr || std::ranges::find(elements, array->element) == elements.end()) {
    return wrong_type(key, expected, *value);
  }
  return array;
}

Result<std::vector<float>> GgufFile::get_f32_array(std::string_view key) const {
  CARAT_TRY(const GgufArray* array, get_array(key, {GgufType::kF32}, "an array of f32"));
  return unpack<float>(*array);
}

Result<std::vector<std::int32_t>> GgufFile::get_i32_array(std::string_view key) const {
  CARAT_TRY(const GgufArray* array, get_array(key, {GgufType::kI32, GgufType::kU32}, "an array of i32"));
  auto values = unpack<std::int32_t>(*array);
  if (array->element == GgufType::kU32 && std::ranges::any_of(values, [](auto v) { return v < 0; })) {
    return fail(ErrorKind::kInvalidModel, "{}: {}: an element does not fit i32", name_, key);
  }
  return values;
}

Result<std::vector<bool>> GgufFile::get_bool_array(std::string_view key) const {
  CARAT_TRY(const GgufArray* array, get_array(key, {GgufType::kBool}, "an array of bool"));
  std::vector<bool> flags(array->count);
  for (std::size_t i = 0; i < flags.size(); ++i) flags[i] = array->bytes[i] != std::byte{0};
  return flags;
}

Result<const StringArray*> GgufFile::get_string_array(std::string_view key) const {
  CARAT_TRY(const GgufArray* array, get_array(key, {GgufType::kString}, "an array of strings"));
  return &array->strings;
}

}  // namespace carat::formats
