// Adapters in a model's batches, on a tiny checkpoint and the f64 backend. Their numbers are compared with an
// independent reference in tests/.

#include "model/adapter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "backend/reference/reference_backend.h"
#include "formats/test_files.h"
#include "model/model.h"
#include "model/test_tiny_adapter.h"
#include "model/test_tiny_model.h"

namespace carat::model {
namespace {

using Logits = std::vector<std::vector<float>>;

// What one sequence of a batch is.
struct Prompt {
  std::vector<std::int32_t> tokens;
  std::vector<WeightedAdapter> adapters = {};
};

class AdapterTest : public testing::Test {
 protected:
  static TinyModel tiny() {
    TinyModel tiny;
    tiny.config.layers = 3;
    tiny.mean = 0.0F;
    tiny.swing = 1.0F;
    return tiny;
  }

  std::unique_ptr<Model> load(const TinyModel& tiny) const {
    const auto checkpoint = Checkpoint::open(folder_.write("tiny.gguf", tiny.gguf()));
    return Model::load(checkpoint.value(), *backend_, {}, {}).value();
  }
  std::unique_ptr<const Adapter> load(const TinyAdapter& adapter) const {
    const auto file = AdapterFile::open(folder_.write("adapter.gguf", adapter.gguf()));
    return Adapter::load(file.value(), tiny().config, *backend_).value();
  }

  // The logits of all rows of all prompts, which run in one batch.
  static std::vector<Logits> run(Model& model, const std::vector<Prompt>& prompts) {
    const KvGeometry geometry(model.config(), tensor::KvType::kF32);
    std::vector<std::vector<std::byte>> storage;
    storage.reserve(2 * prompts.size());
    std::vector<std::byte*> blocks;
    for (std::size_t s = 0; s < prompts.size(); ++s) {
      blocks.push_back(storage.emplace_back(geometry.global_block_bytes()).data());
      blocks.push_back(storage.emplace_back(geometry.local_block_bytes()).data());
    }
    std::vector<Row> rows;
    std::vector<SequenceKv> kv;
    std::vector<AdapterList> adapters;
    for (std::size_t s = 0; s < prompts.size(); ++s) {
      kv.push_back({std::span(blocks).subspan(2 * s, 1), std::span(blocks).subspan(2 * s + 1, 1)});
      adapters.emplace_back(prompts[s].adapters);
      for (std::size_t p = 0; p < prompts[s].tokens.size(); ++p) {
        Row row;
        row.token = prompts[s].tokens[p];
        row.sequence = static_cast<std::uint32_t>(s);
        row.position = static_cast<std::uint32_t>(p);
        row.output = RowOutput::kLogits;
        rows.push_back(row);
      }
    }
    BatchOutput output;
    EXPECT_TRUE(model.forward({rows, kv, &geometry, adapters}, {}, output));
    std::vector<Logits> all;
    auto next = output.logits.begin();
    for (const Prompt& prompt : prompts) {
      const auto end = next + static_cast<std::ptrdiff_t>(prompt.tokens.size());
      all.emplace_back(next, end);
      next = end;
    }
    return all;
  }
  static Logits run_alone(Model& model, const Prompt& prompt) { return run(model, {prompt}).front(); }

  static double largest_difference(const Logits& a, const Logits& b) {
    EXPECT_EQ(a.size(), b.size());
    double largest = 0.0;
    for (std::size_t t = 0; t < std::min(a.size(), b.size()); ++t) {
      for (std::size_t i = 0; i < a[t].size(); ++i) {
        const double difference = std::fabs(static_cast<double>(a[t][i]) - b[t][i]);
        largest = difference <= largest ? largest : difference;  // NaN counts as largest
      }
    }
    return largest;
  }

  formats::TestFolder folder_;
  std::unique_ptr<backend::Backend> backend_ = backend::make_reference_backend();
};

const std::vector<std::int32_t> kTokens = {2, 5, 11, 0, 7, 7, 3, 9};

// A model whose matrix is W + scale B A, in f32, says what the model with that adapter does: for each of the
// seven matrices in turn.
TEST_F(AdapterTest, DoesWhatMergedWeightsDo) {
  const auto plain = run_alone(*load(tiny()), {kTokens});
  for (const TensorId id : adapted_tensors()) {
    SCOPED_TRACE(info(id).name);
    TinyAdapter tiny_adapter{.base = tiny().config, .rank = 1};
    tiny_adapter.alpha = 3.0F;
    tiny_adapter.targets = {id};
    // Only [0, 0] of the product of rank 1 counts: all else would need a merged matrix.
    for (std::size_t layer = 0; layer < 3; ++layer) {
      if (layer == 1) continue;
      const std::string matrix = tensor_name(info(id).gguf_name, layer);
      tiny_adapter.without.insert(matrix + ".lora_a");
      tiny_adapter.without.insert(matrix + ".lora_b");
    }
    const std::string name = tensor_name(info(id).gguf_name, 1);
    std::vector<float> down(extent(info(id).columns, tiny().config), 0.0F);
    std::vector<float> up(extent(info(id).rows, tiny().config), 0.0F);
    down[0] = 2.0F;
    up[0] = 0.75F;
    tiny_adapter.without.insert(name + ".lora_a");
    tiny_adapter.without.insert(name + ".lora_b");
    tiny_adapter.add = [&](formats::GgufWriter& writer) {
      writer.add_tensor(name + ".lora_a", tensor::ElementType::kF32,
                        std::array{std::uint64_t{1}, std::uint64_t{down.size()}},
                        std::as_bytes(std::span(down)));
      writer.add_tensor(name + ".lora_b", tensor::ElementType::kF32,
                        std::array{std::uint64_t{up.size()}, std::uint64_t{1}}, std::as_bytes(std::span(up)));
    };
    TinyModel merged = tiny();
    // As TinyModel writes it, with weight -2 * alpha 3 * 2 * 0.75 / rank 1 added.
    merged.first_values[name] = std::sin(static_cast<float>(name.size())) - 9.0F;
    const Logits expected = run_alone(*load(merged), {kTokens});
    ASSERT_GT(largest_difference(expected, plain), 1e-4);
    const auto adapter = load(tiny_adapter);
    // f32 between operations; the sums round a weight differently by 2^-20.
    EXPECT_LT(largest_difference(run_alone(*load(tiny()), {kTokens, {{adapter.get(), -2.0F}}}), expected),
              2e-5);
  }
}

TEST_F(AdapterTest, EverySequenceOfABatchGetsWhatItsOwnAdaptersGiveAlone) {
  const auto model = load(tiny());
  const auto one = load(TinyAdapter{.base = tiny().config});
  const auto other = load(TinyAdapter{.base = tiny().config, .rank = 5, .value_scale = -0.3F});
  const std::vector<Prompt> prompts = {
      {{2, 5, 11}, {{one.get(), 1.0F}}},
      {{2, 5, 11}, {{one.get(), 1.0F}}},  // the same adapters as its neighbour
      {{2, 5, 11}, {{one.get(), 0.75F}}},
      {{2, 5, 11}, {{other.get(), 0.75F}}},
      {kTokens, {}},
      {{7}, {{one.get(), 0.5F}}},
      {{2, 5, 11}, {{other.get(), 1.0F}, {one.get(), -2.0F}}},
      {{2, 5, 11}, {}},
  };
  const std::vector<Logits> together = run(*model, prompts);
  for (std::size_t s = 0; s < prompts.size(); ++s) EXPECT_EQ(together[s], run_alone(*model, prompts[s])) << s;
  EXPECT_EQ(together[0], together[1]);
  EXPECT_GT(largest_difference(together[0], together[6]), 1e-3);
  EXPECT_GT(largest_difference(together[0], together[7]), 1e-3);
  EXPECT_GT(largest_difference(together[6], together[7]), 1e-3);
}

TEST_F(AdapterTest, WeightsMultiplyTheScale) {
  const auto model = load(tiny());
  const auto six = load(TinyAdapter{.base = tiny().config, .alpha = 6.0F});
  const auto three = load(TinyAdapter{.base = tiny().config, .alpha = 3.0F});
  EXPECT_EQ(run_alone(*model, {kTokens, {{six.get(), 0.5F}}}),
            run_alone(*model, {kTokens, {{three.get(), 1.0F}}}));
}

TEST_F(AdapterTest, AnAdapterOfAnotherModelIsRefused) {
  TinyAdapter wide{.base = tiny().config};
  wide.base.ffn = 12;
  const auto file = AdapterFile::open(folder_.write("adapter.gguf", wide.gguf()));
  EXPECT_TRUE(formats::is_error(Adapter::load(file.value(), tiny().config, *backend_),
                                ErrorKind::kInvalidModel, {"[12, 8]", "[10, 8]"}));
}

TEST_F(AdapterTest, ValuesThatAreNotFiniteAreRefused) {
  TinyAdapter bad{.base = tiny().config};
  bad.value_scale = INFINITY;
  const auto file = AdapterFile::open(folder_.write("adapter.gguf", bad.gguf()));
  EXPECT_TRUE(formats::is_error(Adapter::load(file.value(), tiny().config, *backend_),
                                ErrorKind::kInvalidModel, {"blk.0.attn_q.weight.lora_b", "finite"}));
}

}  // namespace
}  // namespace carat::model
