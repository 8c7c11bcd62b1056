#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "formats/gguf_writer.h"
#include "model/vision_tensor_table.h"

namespace carat::model {

// A complete little image tower in GGUF form, with ways to spoil it.
struct TinyVision {
  VisionConfig config = {.image_size = 12,
                         .patch_size = 3,
                         .width = 10,
                         .layers = 2,
                         .heads = 2,
                         .ffn = 14,
                         .tokens_per_side = 2,
                         .d_model = 8};
  VisionNaming naming = VisionNaming::kMmproj;
  std::set<std::string> without = {};                             // keys and tensors to leave out
  std::map<std::string, std::vector<std::uint64_t>> shapes = {};  // of tensors that have another one
  std::string projector = "gemma3";
  std::function<void(formats::GgufWriter&)> add = {};  // more keys and tensors

  // A projector file.
  std::vector<std::byte> mmproj() const {
    formats::GgufWriter writer;
    writer.set_string("general.architecture", "clip");
    writer.set_string("clip.projector_type", projector);
    writer.set_bool("clip.has_vision_encoder", true);
    writer.set_bool("clip.use_gelu", true);
    write_shape(writer, "clip.vision.");
    number(writer, "clip.vision.projection_dim", config.d_model);
    number(writer, "clip.vision.projector.scale_factor", config.patches_per_side() / config.tokens_per_side);
    const std::vector<float> half(3, 0.5F);
    writer.set_f32_array("clip.vision.image_mean", half);
    writer.set_f32_array("clip.vision.image_std", half);
    write_tensors(writer);
    if (add) add(writer);
    return writer.finish();
  }

  // Keys and tensors as Ollama puts them into the text model's file.
  void write_inside(formats::GgufWriter& writer) const {
    write_shape(writer, "gemma3.vision.");
    number(writer, "gemma3.mm.tokens_per_image", config.tokens());
    write_tensors(writer);
    if (add) add(writer);
  }

  // What write_tensors gave a tensor, [rows * columns].
  std::vector<float> values(const VisionTensorInfo& tensor, std::size_t layer) const {
    std::vector<float> values(extent(tensor.rows, config) * extent(tensor.columns, config));
    const float seed = static_cast<float>(static_cast<std::size_t>(tensor.id) + 31 * layer);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = 0.5F * std::sin(1.7F * static_cast<float>(i) + seed);
    }
    return values;
  }

 private:
  void number(formats::GgufWriter& writer, const std::string& key, std::size_t value) const {
    if (!without.contains(key)) writer.set_u32(key, static_cast<std::uint32_t>(value));
  }

  void write_shape(formats::GgufWriter& writer, const std::string& prefix) const {
    number(writer, prefix + "image_size", config.image_size);
    number(writer, prefix + "patch_size", config.patch_size);
    number(writer, prefix + "embedding_length", config.width);
    number(writer, prefix + "block_count", config.layers);
    number(writer, prefix + "feed_forward_length", config.ffn);
    number(writer, prefix + "attention.head_count", config.heads);
    writer.set_f32(prefix + "attention.layer_norm_epsilon", config.norm_epsilon);
  }

  void write_tensors(formats::GgufWriter& writer) const {
    for (const VisionTensorInfo& tensor : vision_tensor_table()) {
      for (std::size_t layer = 0; layer < (tensor.per_layer ? config.layers : 1); ++layer) {
        const std::string name = vision_tensor_name(tensor.id, naming, layer);
        if (without.contains(name)) continue;
        const auto found = shapes.find(name);
        const auto shape = found == shapes.end() ? expected_shape(tensor, config) : found->second;
        std::vector<float> stored = values(tensor, layer);
        std::size_t count = 1;
        for (const std::uint64_t side : shape) count *= static_cast<std::size_t>(side);
        stored.resize(count);
        writer.add_tensor(name, tensor::ElementType::kF32, shape, std::as_bytes(std::span(stored)));
      }
    }
  }
};

}  // namespace carat::model
