#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "model/config.h"
#include "model/tensor_table.h"
#include "tensor/element_type.h"

namespace carat::tests {

// Chooses how each matrix is stored. Norms are always f32.
using TypeOf = std::function<tensor::ElementType(model::TensorId)>;

// A shape that every element type can store where it matters: the inputs of o_proj and down_proj are whole
// blocks of 256, the others whole blocks of 32, as in the 270M. 3 layers, the second of them global.
model::GemmaConfig random_model_config();

// Writes a GGUF file, or a folder of safetensors where a type is not of GGUF, with weights that are random in
// all their bits, scaled to keep activations at unit size, and returns its path. It lives as long as the test
// program's temporary folder.
std::string write_random_model(const std::string& name, const TypeOf& type_of, unsigned seed);

}  // namespace carat::tests
