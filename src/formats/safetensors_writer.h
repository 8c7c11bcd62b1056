#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/quantization_block.h"
#include "tensor/element_type.h"

namespace carat::formats {

// The header of a safetensors file whose data follow in the order in which tensors are declared, without
// gaps.
class SafetensorsWriter {
 public:
  // `shape` is outermost first. A tensor of a row-scaled type is written as bytes and followed by its scales,
  // an F32 tensor of `scale_count` values.
  void declare(std::string_view name, tensor::ElementType type, std::span<const std::uint64_t> shape,
               std::uint64_t scale_count = 0);

  // Length, JSON text and padding: everything before the data.
  std::vector<std::byte> header() const;
  std::uint64_t data_bytes() const { return data_bytes_; }

 private:
  struct Declared {
    std::string name;
    std::string_view dtype;
    std::vector<std::uint64_t> shape;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  void append(std::string name, std::string_view dtype, std::vector<std::uint64_t> shape,
              std::uint64_t bytes);

  std::vector<Declared> tensors_;
  std::vector<QuantizedTensor> quantized_;
  std::uint64_t data_bytes_ = 0;
};

}  // namespace carat::formats
