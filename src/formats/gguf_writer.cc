#include "formats/gguf_writer.h"

#include <algorithm>
#include <iterator>
#include <ranges>

#include "base/check.h"
#include "base/checked_math.h"

namespace carat::formats {
namespace {

void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  std::ranges::copy(bytes, std::back_inserter(out));
}

template <class T>
void append_number(std::vector<std::byte>& out, T number) {
  append(out, std::as_bytes(std::span(&number, 1)));
}

void append_string(std::vector<std::byte>& out, std::string_view text) {
  append_number<std::uint64_t>(out, text.size());
  append(out, std::as_bytes(std::span(text)));
}

// The default alignment, so that general.alignment need not be written.
void pad(std::vector<std::byte>& out) { out.resize(round_up(out.size(), GgufWriter::kAlignment)); }

// A number of a type of `size` bytes, which are the low ones of the widened number.
void append_low_bytes(std::vector<std::byte>& out, std::uint64_t bits, std::size_t size) {
  append(out, std::as_bytes(std::span(&bits, 1)).first(size));
}

std::size_t size_of(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool: return 1;
    case GgufType::kU16:
    case GgufType::kI16: return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32: return 4;
    default: return 8;
  }
}

}  // namespace

void GgufWriter::begin_key(std::string_view key, GgufType type) {
  append_string(metadata_, key);
  append_number(metadata_, static_cast<std::uint32_t>(type));
  ++keys_;
}

void GgufWriter::begin_array(std::string_view key, GgufType element, std::size_t count) {
  begin_key(key, GgufType::kArray);
  append_number(metadata_, static_cast<std::uint32_t>(element));
  append_number<std::uint64_t>(metadata_, count);
}

void GgufWriter::set_u32(std::string_view key, std::uint32_t value) {
  begin_key(key, GgufType::kU32);
  append_number(metadata_, value);
}

void GgufWriter::set_f32(std::string_view key, float value) {
  begin_key(key, GgufType::kF32);
  append_number(metadata_, value);
}

void GgufWriter::set_bool(std::string_view key, bool value) {
  begin_key(key, GgufType::kBool);
  append_number<std::uint8_t>(metadata_, value ? 1 : 0);
}

void GgufWriter::set_string(std::string_view key, std::string_view value) {
  begin_key(key, GgufType::kString);
  append_string(metadata_, value);
}

void GgufWriter::set_f32_array(std::string_view key, std::span<const float> values) {
  begin_array(key, GgufType::kF32, values.size());
  append(metadata_, std::as_bytes(values));
}

void GgufWriter::set_i32_array(std::string_view key, std::span<const std::int32_t> values) {
  begin_array(key, GgufType::kI32, values.size());
  append(metadata_, std::as_bytes(values));
}

void GgufWriter::set_bool_array(std::string_view key, const std::vector<bool>& values) {
  begin_array(key, GgufType::kBool, values.size());
  for (const bool value : values) append_number<std::uint8_t>(metadata_, value ? 1 : 0);
}

void GgufWriter::set_string_array(std::string_view key, const std::vector<std::string>& values) {
  begin_array(key, GgufType::kString, values.size());
  for (const std::string& value : values) append_string(metadata_, value);
}

void GgufWriter::set_value(std::string_view key, const GgufValue& value) {
  if (const auto* array = std::get_if<GgufArray>(&value.value)) {
    begin_array(key, array->element, array->count);
    append(metadata_, array->bytes);
    for (std::size_t i = 0; i < array->strings.size(); ++i) append_string(metadata_, array->strings[i]);
    return;
  }
  begin_key(key, value.type);
  const std::size_t size = size_of(value.type);
  if (const auto* text = std::get_if<std::string>(&value.value)) append_string(metadata_, *text);
  if (const auto* number = std::get_if<std::uint64_t>(&value.value))
    append_low_bytes(metadata_, *number, size);
  if (const auto* number = std::get_if<std::int64_t>(&value.value)) {
    append_low_bytes(metadata_, static_cast<std::uint64_t>(*number), size);
  }
  if (const auto* flag = std::get_if<bool>(&value.value)) append_low_bytes(metadata_, *flag ? 1 : 0, size);
  if (const auto* number = std::get_if<double>(&value.value)) {
    if (value.type == GgufType::kF32) {
      append_number(metadata_, static_cast<float>(*number));
    } else {
      append_number(metadata_, *number);
    }
  }
}

void GgufWriter::declare_tensor(std::string_view name, tensor::ElementType type,
                                std::span<const std::uint64_t> shape) {
  const auto bytes = tensor_bytes(type, shape);
  CARAT_CHECK(bytes.has_value());
  declare(name, type, shape, *bytes);
}

void GgufWriter::declare(std::string_view name, tensor::ElementType type,
                         std::span<const std::uint64_t> shape, std::uint64_t bytes) {
  CARAT_CHECK(tensor::info(type).ggml_id.has_value());
  data_bytes_ = round_up(data_bytes_, std::uint64_t{kAlignment});
  append_string(descriptions_, name);
  append_number(descriptions_, static_cast<std::uint32_t>(shape.size()));
  for (const std::uint64_t extent : std::views::reverse(shape)) append_number(descriptions_, extent);
  append_number(descriptions_, *tensor::info(type).ggml_id);
  append_number(descriptions_, data_bytes_);
  data_bytes_ += bytes;
  ++tensors_;
}

void GgufWriter::add_tensor(std::string_view name, tensor::ElementType type,
                            std::span<const std::uint64_t> shape, std::span<const std::byte> stored) {
  declare(name, type, shape, stored.size());
  pad(data_);
  append(data_, stored);
}

std::vector<std::byte> GgufWriter::header() const {
  std::vector<std::byte> file;
  append(file, std::as_bytes(std::span(std::string_view("GGUF"))));
  append_number<std::uint32_t>(file, 3);
  append_number(file, tensors_);
  append_number(file, keys_);
  append(file, metadata_);
  append(file, descriptions_);
  pad(file);
  return file;
}

std::vector<std::byte> GgufWriter::finish() const {
  std::vector<std::byte> file = header();
  append(file, data_);
  return file;
}

}  // namespace carat::formats
