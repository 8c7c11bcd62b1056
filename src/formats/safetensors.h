#pragma once

#include <memory>
#include <string>

#include "base/byte_source.h"
#include "base/result.h"
#include "formats/tensor_directory.h"

namespace carat::formats {

// Reads and checks the header of one safetensors file: F32, F16 and BF16 tensors, and bytes that the metadata
// describe (quantization_block.h), whose data fill the file without gaps or overlaps. kInvalidModel names
// file, tensor, expected and actual.
Result<TensorDirectory> read_safetensors(std::shared_ptr<const ByteSource> source);

// Opens a safetensors file, an index (.json) with the files it names, or a folder that holds
// model.safetensors.index.json or model.safetensors. kNotFound when a file is missing.
Result<TensorDirectory> open_safetensors(const std::string& path);

}  // namespace carat::formats
