#include "model/tensor_table.h"

#include <gtest/gtest.h>

#include <set>

namespace carat::model {
namespace {

struct Size {
  GemmaConfig config;
  std::uint64_t tensors;
  std::uint64_t parameters;  // without the embedding, from the model family's report
};

std::vector<Size> sizes() {
  const auto config = [](std::size_t layers, std::size_t d_model, std::size_t heads, std::size_t kv_heads,
                         std::size_t head_dim, std::size_t ffn) {
    GemmaConfig result;
    result.layers = layers;
    result.d_model = d_model;
    result.heads = heads;
    result.kv_heads = kv_heads;
    result.head_dim = head_dim;
    result.ffn = ffn;
    result.vocab = 262'144;
    return result;
  };
  return {{config(18, 640, 4, 1, 256, 2048), 236, 100'326'016},
          {config(26, 1152, 4, 1, 256, 6912), 340, 697'896'064},
          {config(34, 2560, 8, 4, 256, 10'240), 444, 3'209'010'688},
          {config(48, 3840, 16, 8, 256, 15'360), 626, 10'759'155'456},
          {config(62, 5376, 32, 16, 128, 21'504), 808, 25'599'716'096}};
}

TEST(TensorTable, CountsTensorsAndParametersOfAllSizes) {
  for (const Size& size : sizes()) {
    std::uint64_t tensors = 0;
    std::uint64_t parameters = 0;
    std::set<std::string> names;
    for (const TensorInfo& tensor : tensor_table()) {
      if (tensor.optional) continue;
      const std::size_t copies = tensor.per_layer ? size.config.layers : 1;
      std::uint64_t values = 1;
      for (const std::uint64_t extent : expected_shape(tensor, size.config)) values *= extent;
      for (std::size_t layer = 0; layer < copies; ++layer) names.insert(tensor_name(tensor.gguf_name, layer));
      tensors += copies;
      if (tensor.id != TensorId::kEmbedding) parameters += copies * values;
    }
    EXPECT_EQ(tensors, size.tensors);
    EXPECT_EQ(names.size(), size.tensors);
    EXPECT_EQ(parameters, size.parameters);
  }
}

TEST(TensorTable, NamesAndShapes) {
  const GemmaConfig config = sizes().back().config;  // 27B, whose q width 4096 is not d_model
  EXPECT_EQ(tensor_name(info(TensorId::kQProj).gguf_name, 61), "blk.61.attn_q.weight");
  EXPECT_EQ(tensor_name(info(TensorId::kPreMlpNorm).hf_name, 7), "layers.7.pre_feedforward_layernorm.weight");
  EXPECT_EQ(tensor_name(info(TensorId::kFinalNorm).gguf_name, 0), "output_norm.weight");
  EXPECT_EQ(expected_shape(info(TensorId::kOProj), config), (std::vector<std::uint64_t>{5376, 4096}));
  EXPECT_EQ(expected_shape(info(TensorId::kKProj), config), (std::vector<std::uint64_t>{2048, 5376}));
  EXPECT_EQ(expected_shape(info(TensorId::kQNorm), config), (std::vector<std::uint64_t>{128}));
}

}  // namespace
}  // namespace carat::model
