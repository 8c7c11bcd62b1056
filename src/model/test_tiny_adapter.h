#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "formats/gguf_writer.h"
#include "formats/safetensors_writer.h"
#include "model/adapter_names.h"
#include "model/config.h"
#include "model/tensor_table.h"

namespace carat::model {

// A LoRA adapter of every matrix of a model, in both formats, with ways to spoil it.
struct TinyAdapter {
  GemmaConfig base;
  std::size_t rank = 3;
  float alpha = 6.0F;
  float value_scale = 0.5F;  // of all values of lora_B; that of lora_A is 1
  std::vector<TensorId> targets = {adapted_tensors().begin(), adapted_tensors().end()};
  tensor::ElementType type = tensor::ElementType::kF32;
  std::string peft_prefix = "base_model.model.model.";
  std::string more_config = {};                                   // more members, each after a comma
  std::set<std::string> without = {};                             // tensors to leave out
  std::map<std::string, std::vector<std::uint64_t>> shapes = {};  // of tensors that have another one
  std::map<std::string, std::string> names = {};                  // of tensors that have another one
  std::function<void(formats::GgufWriter&)> add = {};             // more keys and tensors

  std::string peft_config() const {
    return R"({"peft_type":"LORA","r":)" + std::to_string(rank) + R"(,"lora_alpha":)" +
           fmt::format("{}", alpha) + R"(,"bias":"none","base_model_name_or_path":"tiny/base")" +
           more_config + "}";
  }

  std::vector<std::byte> safetensors() const {
    formats::SafetensorsWriter writer;
    std::vector<std::byte> data;
    for_each([&](const TensorInfo& matrix, std::size_t layer, bool is_up) {
      std::string name = tensor_name(matrix.hf_name, layer);
      name.resize(name.size() - std::string_view("weight").size());
      name = peft_prefix + name + (is_up ? "lora_B.weight" : "lora_A.weight");
      if (without.contains(name)) return;
      const Tensor tensor = make(matrix, layer, is_up, name);
      writer.declare(tensor.name, type, tensor.shape);
      data.insert(data.end(), tensor.bytes.begin(), tensor.bytes.end());
    });
    std::vector<std::byte> file = writer.header();
    file.insert(file.end(), data.begin(), data.end());
    return file;
  }

  std::vector<std::byte> gguf() const {
    formats::GgufWriter writer;
    const auto text = [&](const std::string& key, std::string_view value) {
      if (!without.contains(key)) writer.set_string(key, value);
    };
    text("general.type", "adapter");
    text("general.architecture", "gemma3");
    text("adapter.type", "lora");
    if (!without.contains("adapter.lora.alpha")) writer.set_f32("adapter.lora.alpha", alpha);
    for_each([&](const TensorInfo& matrix, std::size_t layer, bool is_up) {
      const std::string name = tensor_name(matrix.gguf_name, layer) + (is_up ? ".lora_b" : ".lora_a");
      if (without.contains(name)) return;
      const Tensor tensor = make(matrix, layer, is_up, name);
      writer.add_tensor(tensor.name, type, tensor.shape, tensor.bytes);
    });
    if (add) add(writer);
    return writer.finish();
  }

 private:
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> shape;
    std::vector<std::byte> bytes;
  };

  template <class Visit>
  void for_each(const Visit& visit) const {
    for (std::size_t layer = 0; layer < base.layers; ++layer) {
      for (const TensorId id : targets) {
        visit(info(id), layer, false);
        visit(info(id), layer, true);
      }
    }
  }

  // Values of either sign that differ from matrix to matrix and from layer to layer, by format and name
  // alike.
  Tensor make(const TensorInfo& matrix, std::size_t layer, bool is_up, const std::string& name) const {
    Tensor tensor;
    const auto renamed = names.find(name);
    tensor.name = renamed == names.end() ? name : renamed->second;
    tensor.shape = is_up ? std::vector<std::uint64_t>{extent(matrix.rows, base), rank}
                         : std::vector<std::uint64_t>{rank, extent(matrix.columns, base)};
    if (const auto other = shapes.find(name); other != shapes.end()) tensor.shape = other->second;
    std::size_t count = 1;
    for (const std::uint64_t extent : tensor.shape) count *= static_cast<std::size_t>(extent);
    const std::size_t width = tensor::info(type).block_bytes;
    tensor.bytes.resize(count / tensor::info(type).block_values * width);
    const float phase =
        static_cast<float>(100 * layer + 10 * static_cast<std::size_t>(matrix.id) + (is_up ? 1 : 0));
    for (std::size_t i = 0; i < count && type == tensor::ElementType::kF32; ++i) {
      const float value = (is_up ? value_scale : 1.0F) * std::sin(phase + static_cast<float>(i) * 1.7F);
      std::memcpy(tensor.bytes.data() + i * width, &value, width);
    }
    return tensor;
  }
};

}  // namespace carat::model
