#include "formats/safetensors_writer.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstring>

#include "base/check.h"
#include "base/checked_math.h"
#include "formats/tensor_directory.h"

namespace carat::formats {
namespace {

std::string_view dtype_of(tensor::ElementType type) {
  switch (type) {
    case tensor::ElementType::kF32: return "F32";
    case tensor::ElementType::kF16: return "F16";
    case tensor::ElementType::kBF16: return "BF16";
    case tensor::ElementType::kInt4:
    case tensor::ElementType::kSFP8: return "U8";
    default: break;
  }
  CARAT_CHECK(false);
}

}  // namespace

void SafetensorsWriter::append(std::string name, std::string_view dtype, std::vector<std::uint64_t> shape,
                               std::uint64_t bytes) {
  tensors_.push_back({std::move(name), dtype, std::move(shape), data_bytes_, data_bytes_ + bytes});
  data_bytes_ += bytes;
}

void SafetensorsWriter::declare(std::string_view name, tensor::ElementType type,
                                std::span<const std::uint64_t> shape, std::uint64_t scale_count) {
  const auto bytes = tensor_bytes(type, shape);
  CARAT_CHECK(bytes.has_value() && tensor::info(type).row_scaled == (scale_count > 0));
  std::vector<std::uint64_t> stored(shape.begin(), shape.end());
  if (type == tensor::ElementType::kInt4) stored.back() /= 2;
  append(std::string(name), dtype_of(type), std::move(stored), *bytes);
  if (scale_count == 0) return;
  const std::string scale = fmt::format("{}_scale", name);
  append(scale, "F32", {scale_count}, scale_count * sizeof(float));
  quantized_.push_back({std::string(name), type, scale});
}

std::vector<std::byte> SafetensorsWriter::header() const {
  boost::json::object metadata = {{"format", "pt"}};  // which transformers wants to see
  if (!quantized_.empty()) metadata[kQuantizationKey] = quantization_text(quantized_);
  boost::json::object root = {{"__metadata__", std::move(metadata)}};
  for (const Declared& tensor : tensors_) {
    root[tensor.name] = {{"dtype", tensor.dtype},
                         {"shape", boost::json::array(tensor.shape.begin(), tensor.shape.end())},
                         {"data_offsets", {tensor.begin, tensor.end}}};
  }
  std::string text = boost::json::serialize(root);
  text.resize(round_up(text.size(), std::size_t{8}), ' ');
  std::vector<std::byte> bytes(sizeof(std::uint64_t) + text.size());
  const std::uint64_t length = text.size();
  std::memcpy(bytes.data(), &length, sizeof length);
  std::memcpy(bytes.data() + sizeof length, text.data(), text.size());
  return bytes;
}

}  // namespace carat::formats
