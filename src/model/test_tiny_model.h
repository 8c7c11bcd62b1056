#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "formats/gguf_writer.h"
#include "model/tensor_table.h"

namespace carat::model {

// A complete little model as a GGUF file, with ways to spoil it.
struct TinyModel {
  GemmaConfig config = {.layers = 2,
                        .d_model = 8,
                        .heads = 2,
                        .kv_heads = 1,
                        .head_dim = 6,
                        .ffn = 10,
                        .vocab = 12,
                        .max_context = 64};
  std::size_t pieces = 12;                                        // of the tokenizer
  std::set<std::string> without = {};                             // keys and tensors to leave out
  std::map<std::string, std::vector<std::uint64_t>> shapes = {};  // of tensors that have another one
  std::map<std::string, float> first_values = {};                 // of tensors that begin with another one
  float mean = 1.0F;                                              // of all values, which
  float swing = 0.1F;                                             // lie this far around it
  std::function<void(formats::GgufWriter&)> add = {};             // more keys and tensors

  std::vector<std::byte> gguf() const {
    formats::GgufWriter writer;
    write_metadata(writer);
    for (const TensorInfo& tensor : tensor_table()) {
      for (std::size_t layer = 0; layer < (tensor.per_layer ? config.layers : 1); ++layer) {
        const std::string name = tensor_name(tensor.gguf_name, layer);
        if (!tensor.optional && !without.contains(name)) write_tensor(writer, tensor, name);
      }
    }
    if (add) add(writer);
    return writer.finish();
  }

 private:
  void write_metadata(formats::GgufWriter& writer) const {
    const auto number = [&](const std::string& key, std::size_t value) {
      if (!without.contains(key)) writer.set_u32(key, static_cast<std::uint32_t>(value));
    };
    if (!without.contains("general.architecture")) writer.set_string("general.architecture", "gemma3");
    if (!without.contains("general.name")) writer.set_string("general.name", "Tiny");
    number("gemma3.block_count", config.layers);
    number("gemma3.embedding_length", config.d_model);
    number("gemma3.feed_forward_length", config.ffn);
    number("gemma3.context_length", config.max_context);
    number("gemma3.attention.head_count", config.heads);
    number("gemma3.attention.head_count_kv", config.kv_heads);
    number("gemma3.attention.key_length", config.head_dim);
    number("gemma3.attention.value_length", config.head_dim);
    number("gemma3.attention.sliding_window", 4);
    if (!without.contains("tokenizer.ggml.model")) writer.set_string("tokenizer.ggml.model", "llama");
    std::vector<std::string> texts;
    std::vector<float> scores;
    std::vector<std::int32_t> types;
    for (std::size_t i = 0; i < pieces; ++i) {
      texts.push_back("piece" + std::to_string(i));
      scores.push_back(-static_cast<float>(i));
      types.push_back(1);
    }
    writer.set_string_array("tokenizer.ggml.tokens", texts);
    writer.set_f32_array("tokenizer.ggml.scores", scores);
    writer.set_i32_array("tokenizer.ggml.token_type", types);
  }

  // Smooth values that differ from tensor to tensor.
  void write_tensor(formats::GgufWriter& writer, const TensorInfo& tensor, const std::string& name) const {
    const auto found = shapes.find(name);
    const auto shape = found == shapes.end() ? expected_shape(tensor, config) : found->second;
    std::size_t count = 1;
    for (const std::uint64_t extent : shape) count *= static_cast<std::size_t>(extent);
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = mean + swing * std::sin(static_cast<float>(i + name.size()));
    }
    if (const auto first = first_values.find(name); first != first_values.end()) values[0] = first->second;
    writer.add_tensor(name, tensor::ElementType::kF32, shape, std::as_bytes(std::span(values)));
  }
};

}  // namespace carat::model
