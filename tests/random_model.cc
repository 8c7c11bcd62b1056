#include "tests/random_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "formats/gguf_writer.h"
#include "formats/safetensors_writer.h"
#include "tensor/dequantize.h"
#include "tensor/half.h"
#include "tensor/sfp8.h"

namespace carat::tests {
namespace {

using tensor::ElementType;

// Where a block has its f16 scale and minimum. min_ratio * scale as the minimum gives values of mean zero.
struct ScaleFields {
  std::size_t scale = 0;
  std::optional<std::size_t> min = std::nullopt;
  float min_ratio = 0.0F;
};

ScaleFields scale_fields(ElementType type) {
  switch (type) {
    case ElementType::kQ4_1: return {0, 2, -7.5F};
    case ElementType::kQ5_1: return {0, 2, -15.5F};
    case ElementType::kQ2_K: return {80, 82, 1.5F};
    case ElementType::kQ3_K: return {108};
    case ElementType::kQ4_K: return {0, 2, 7.5F};
    case ElementType::kQ5_K: return {0, 2, 15.5F};
    case ElementType::kQ6_K: return {208};
    default:  // the other quantized types begin with their scale
      return {0};
  }
}

class Weights {
 public:
  explicit Weights(unsigned seed) : random_(seed) {}

  std::vector<float> norm(std::size_t count) {
    std::vector<float> gains(count);
    for (float& gain : gains) gain = 1.0F + 0.4F * normal_(random_);
    return gains;
  }

  // `count` values of standard deviation `deviation`, encoded.
  std::vector<std::byte> matrix(ElementType type, std::size_t count, float deviation) {
    const tensor::ElementTypeInfo& info = tensor::info(type);
    return info.block_values == 1 ? floats(type, count, deviation) : blocks(type, count, deviation);
  }

  // Scales for the rows of a matrix of that type.
  std::vector<float> scales(ElementType type, std::size_t rows, float deviation) {
    std::vector<float> out(rows);
    // The codes of int4 are uniform in [-8, 7]; SFP8 was made of values of the right size.
    const float unit = type == ElementType::kInt4 ? deviation / 4.6F : 1.0F;
    for (float& scale : out) scale = unit * (0.5F + static_cast<float>(random_() % 1024U) / 1024.0F);
    return out;
  }

 private:
  std::vector<std::byte> floats(ElementType type, std::size_t count, float deviation) {
    const std::size_t size = tensor::info(type).block_bytes;
    std::vector<std::byte> stored(count * size);
    for (std::size_t i = 0; i < count; ++i) {
      const float value = deviation * normal_(random_);
      if (type == ElementType::kSFP8) {
        stored[i] = static_cast<std::byte>(tensor::f32_to_sfp8(std::clamp(value, -1.8F, 1.8F)));
      } else if (type == ElementType::kF32) {
        std::memcpy(&stored[i * size], &value, size);
      } else {
        const std::uint16_t bits =
            type == ElementType::kF16 ? tensor::f32_to_f16(value) : tensor::f32_to_bf16(value);
        std::memcpy(&stored[i * size], &bits, size);
      }
    }
    return stored;
  }

  std::vector<std::byte> blocks(ElementType type, std::size_t count, float deviation) {
    const std::size_t values = tensor::info(type).block_values;
    const std::size_t bytes = tensor::info(type).block_bytes;
    std::vector<std::byte> stored(count / values * bytes);
    for (std::byte& byte : stored) byte = static_cast<std::byte>(random_() & 255U);
    if (tensor::info(type).row_scaled) return stored;
    // With a scale of 1 the codes have a deviation of their own, which the first blocks tell.
    const std::size_t sample = std::min<std::size_t>(count / values, 64);
    for (std::size_t b = 0; b < sample; ++b)
      set_scale(type, std::span(stored).subspan(b * bytes, bytes), 1.0F);
    std::vector<float> decoded(sample * values);
    tensor::dequantize(type, std::span(stored).first(sample * bytes), decoded);
    double squares = 0.0;
    for (const float value : decoded) squares += static_cast<double>(value) * value;
    const auto unit = static_cast<float>(std::sqrt(static_cast<double>(decoded.size()) / squares));
    for (std::size_t b = 0; b < count / values; ++b) {
      const float spread = 0.5F + static_cast<float>(random_() % 1024U) / 1024.0F;
      set_scale(type, std::span(stored).subspan(b * bytes, bytes), deviation * unit * spread);
    }
    return stored;
  }

  static void set_scale(ElementType type, std::span<std::byte> block, float scale) {
    const ScaleFields fields = scale_fields(type);
    const std::uint16_t scale_bits = tensor::f32_to_f16(scale);
    std::memcpy(&block[fields.scale], &scale_bits, sizeof scale_bits);
    if (!fields.min) return;
    const std::uint16_t min_bits = tensor::f32_to_f16(scale * fields.min_ratio);
    std::memcpy(&block[*fields.min], &min_bits, sizeof min_bits);
  }

  std::mt19937 random_;
  std::normal_distribution<float> normal_;
};

constexpr std::size_t kLayerPeriod = 2;

void write_metadata(const model::GemmaConfig& config, formats::GgufWriter& writer) {
  const auto number = [&](const std::string& key, std::size_t value) {
    writer.set_u32("gemma3." + key, static_cast<std::uint32_t>(value));
  };
  writer.set_string("general.architecture", "gemma3");
  writer.set_string("general.name", "random");
  number("block_count", config.layers);
  number("embedding_length", config.d_model);
  number("feed_forward_length", config.ffn);
  number("context_length", config.max_context);
  number("attention.head_count", config.heads);
  number("attention.head_count_kv", config.kv_heads);
  number("attention.key_length", config.head_dim);
  number("attention.value_length", config.head_dim);
  number("attention.sliding_window", config.sliding_window);
  number("attention.sliding_window_pattern", kLayerPeriod);
}

}  // namespace

model::GemmaConfig random_model_config() {
  model::GemmaConfig config;
  config.layers = 3;
  config.d_model = 64;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 64;
  config.ffn = 512;
  config.vocab = 301;  // no whole number of panels
  config.max_context = 2048;
  config.sliding_window = 48;
  return config;
}

namespace {

struct RandomTensor {
  const model::TensorInfo* info = nullptr;
  std::size_t layer = 0;
  ElementType type = ElementType::kF32;
  std::vector<std::uint64_t> shape;
  std::vector<std::byte> stored;
  std::vector<float> row_scales = {};
};

std::vector<RandomTensor> random_tensors(const TypeOf& type_of, unsigned seed) {
  const model::GemmaConfig config = random_model_config();
  Weights weights(seed);
  std::vector<RandomTensor> tensors;
  for (const model::TensorInfo& tensor : model::tensor_table()) {
    if (tensor.optional) continue;
    const auto shape = model::expected_shape(tensor, config);
    for (std::size_t layer = 0; layer < (tensor.per_layer ? config.layers : 1); ++layer) {
      RandomTensor made{&tensor, layer, ElementType::kF32, shape, {}};
      if (tensor.is_norm) {
        const auto gains = weights.norm(shape[0]);
        const auto bytes = std::as_bytes(std::span(gains));
        made.stored.assign(bytes.begin(), bytes.end());
      } else {
        made.type = type_of(tensor.id);
        const float deviation = 1.0F / std::sqrt(static_cast<float>(shape[1]));
        made.stored = weights.matrix(made.type, shape[0] * shape[1], deviation);
        if (tensor::info(made.type).row_scaled)
          made.row_scales = weights.scales(made.type, shape[0], deviation);
      }
      tensors.push_back(std::move(made));
    }
  }
  return tensors;
}

void write_bytes(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  EXPECT_TRUE(file.good()) << path;
}

void write_gguf(const std::string& path, const std::vector<RandomTensor>& tensors) {
  formats::GgufWriter writer;
  write_metadata(random_model_config(), writer);
  for (const RandomTensor& tensor : tensors) {
    writer.add_tensor(model::tensor_name(tensor.info->gguf_name, tensor.layer), tensor.type, tensor.shape,
                      tensor.stored);
  }
  write_bytes(path, writer.finish());
}

// A folder with config.json and model.safetensors, whose norms are gains less 1.
void write_safetensors(const std::string& folder, const std::vector<RandomTensor>& tensors) {
  const model::GemmaConfig config = random_model_config();
  std::filesystem::create_directory(folder);
  const std::string text = fmt::format(
      R"({{"model_type":"gemma3_text","num_hidden_layers":{},"hidden_size":{},"num_attention_heads":{},)"
      R"("num_key_value_heads":{},"head_dim":{},"intermediate_size":{},"vocab_size":{},)"
      R"("max_position_embeddings":{},"sliding_window":{},"sliding_window_pattern":{},)"
      R"("query_pre_attn_scalar":{}}})",
      config.layers, config.d_model, config.heads, config.kv_heads, config.head_dim, config.ffn, config.vocab,
      config.max_context, config.sliding_window, kLayerPeriod, config.head_dim);
  write_bytes(folder + "/config.json", std::as_bytes(std::span(text)));
  formats::SafetensorsWriter writer;
  std::vector<std::byte> data;
  const auto append = [&](std::span<const std::byte> bytes) {
    data.insert(data.end(), bytes.begin(), bytes.end());
  };
  for (const RandomTensor& tensor : tensors) {
    writer.declare("model." + model::tensor_name(tensor.info->hf_name, tensor.layer), tensor.type,
                   tensor.shape, tensor.row_scales.size());
    std::vector<std::byte> stored = tensor.stored;
    if (tensor.info->is_norm) {
      std::vector<float> gains(stored.size() / sizeof(float));
      std::memcpy(gains.data(), stored.data(), stored.size());
      for (float& gain : gains) gain -= 1.0F;
      std::memcpy(stored.data(), gains.data(), stored.size());
    }
    append(stored);
    append(std::as_bytes(std::span(tensor.row_scales)));
  }
  std::vector<std::byte> file = writer.header();
  file.insert(file.end(), data.begin(), data.end());
  write_bytes(folder + "/model.safetensors", file);
}

}  // namespace

std::string write_random_model(const std::string& name, const TypeOf& type_of, unsigned seed) {
  const std::vector<RandomTensor> tensors = random_tensors(type_of, seed);
  const bool in_gguf = std::ranges::all_of(
      tensors, [](const RandomTensor& tensor) { return tensor::info(tensor.type).ggml_id.has_value(); });
  const std::string path = testing::TempDir() + "carat_parity_" + name + (in_gguf ? ".gguf" : "");
  // Tests run side by side and some share a model: it appears at once, whole.
  const std::string unfinished = path + "." + std::to_string(::getpid());
  in_gguf ? write_gguf(unfinished, tensors) : write_safetensors(unfinished, tensors);
  std::error_code taken;  // of a folder, by a test that was faster and wrote the same
  std::filesystem::rename(unfinished, path, taken);
  if (taken) std::filesystem::remove_all(unfinished);
  return path;
}

}  // namespace carat::tests
