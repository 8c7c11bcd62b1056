// Adapters loaded beside a model, and requests that use them.

#include "engine/adapter_set.h"

#include <gmock/gmock.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/reference/reference_backend.h"
#include "base/clock.h"
#include "base/test_fixture.h"
#include "engine/load_model.h"
#include "engine/local_engine.h"
#include "engine/test_requests.h"
#include "formats/test_files.h"
#include "model/test_tiny_adapter.h"

namespace carat::engine {
namespace {

using formats::is_error;
using prompt::AdapterUse;

class AdapterSetTest : public testing::Test {
 protected:
  // The model has random weights and a window of 16 positions in one of its two layers.
  static Result<std::unique_ptr<LoadedModel>> load(const LoadOptions& options = {}) {
    return load_model(test_fixture("tiny_models/chat"), backend::make_reference_backend(), {}, {}, options);
  }

  model::AdapterFile file_of(const model::TinyAdapter& adapter) const {
    return model::AdapterFile::open(folder_.write("adapter.gguf", adapter.gguf())).value();
  }
  std::string add(float value_scale) const {
    const model::TinyAdapter adapter{.base = model_->model->config(), .value_scale = value_scale};
    return model_->adapters.add(file_of(adapter), adapter.base, *model_->backend).value();
  }

  std::unique_ptr<LocalEngine> make_engine() const {
    return LocalEngine::create(*model_, {.context_length = 200, .kv_type = tensor::KvType::kF32}, clock_)
        .value();
  }
  static prompt::GenerationRequest request_with(std::vector<AdapterUse> adapters) {
    prompt::GenerationRequest request;
    request.prompt = {prompt::PlainText{"the hen is in the inn and the other one is not there"}};
    request.sampling.seed = 3;
    request.sampling.max_tokens = 20;
    request.adapters = std::move(adapters);
    return request;
  }
  static GenerationResult answer(LocalEngine& engine, std::vector<AdapterUse> adapters) {
    auto result = generate(engine, request_with(std::move(adapters)), [](const Event&) {}, {});
    EXPECT_TRUE(result) << result.error().message;
    return result.value_or(GenerationResult());
  }

  formats::TestFolder folder_;
  SteadyClock clock_;
  std::unique_ptr<LoadedModel> model_ = load().value();
};

TEST_F(AdapterSetTest, AnAdapterIsLoadedOnce) {
  const std::string id = add(0.5F);
  EXPECT_EQ(id.size(), 64U);
  const std::size_t bytes = model_->adapters.bytes();
  EXPECT_GT(bytes, 0U);
  EXPECT_EQ(add(0.5F), id);
  EXPECT_EQ(model_->adapters.bytes(), bytes);
  EXPECT_NE(add(0.25F), id);
  EXPECT_EQ(model_->adapters.bytes(), 2 * bytes);
}

TEST_F(AdapterSetTest, ResolvesInOrderWithoutThoseThatDoNothing) {
  const std::string one = add(0.5F);
  const std::string two = add(0.25F);
  const auto resolve = [this](const std::vector<AdapterUse>& uses) { return model_->adapters.resolve(uses); };
  EXPECT_TRUE(resolve({}).value().empty());
  EXPECT_TRUE(resolve({{one, 0.0F}, {two, -0.0F}}).value().empty());
  const auto both = resolve({{one, 0.5F}, {two, 2.0F}}).value();
  ASSERT_EQ(both.size(), 2U);
  EXPECT_NE(both[0].adapter, both[1].adapter);
  EXPECT_EQ(both[1], resolve({{two, 2.0F}}).value().front());
  EXPECT_NE(both, resolve({{two, 2.0F}, {one, 0.5F}}).value());

  EXPECT_TRUE(is_error(resolve({{"abc"}}), ErrorKind::kUsage, {"'abc'"}));
  EXPECT_TRUE(is_error(resolve({{one}, {two}, {one}}), ErrorKind::kUsage, {one, "twice"}));
  for (const float weight : {NAN, INFINITY, -INFINITY}) {
    EXPECT_TRUE(is_error(resolve({{one, weight}}), ErrorKind::kUsage, {one, "finite"}));
  }
}

TEST_F(AdapterSetTest, AnAnswerComesFromItsOwnAdaptersWhateverIsCached) {
  const std::string one = add(0.5F);
  const std::string two = add(0.25F);
  const std::vector<std::vector<AdapterUse>> uses = {
      {}, {{one, 1.0F}}, {{one, 0.5F}}, {{two, 1.0F}}, {{one, 1.0F}, {two, 1.0F}}};
  const auto engine = make_engine();
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const GenerationResult fresh = answer(*make_engine(), uses[i]);
    const GenerationResult first = answer(*engine, uses[i]);
    EXPECT_EQ(first.ids, fresh.ids) << i;
    EXPECT_EQ(first.usage.cached_tokens, 0U) << i;  // the keys of other adapters are of no use
    const GenerationResult again = answer(*engine, uses[i]);
    EXPECT_EQ(again.ids, fresh.ids) << i;
    EXPECT_EQ(again.usage.cached_tokens, again.usage.prompt_tokens - 1) << i;
  }
  EXPECT_NE(answer(*make_engine(), uses[1]).ids, answer(*make_engine(), {}).ids);
}

TEST_F(AdapterSetTest, NeighboursInABatchHaveEachTheirOwnAdapters) {
  const std::string one = add(0.5F);
  const std::vector<std::vector<AdapterUse>> uses = {{{one, 1.0F}}, {}, {{one, 0.5F}}};
  std::vector<GenerationResult> alone;
  for (const auto& use : uses) alone.push_back(answer(*make_engine(), use));
  const auto engine = make_engine();
  std::vector<std::shared_ptr<Recorder>> recorders;
  {
    const Gate gate(*engine);
    for (const auto& use : uses) {
      recorders.push_back(std::make_shared<Recorder>());
      ASSERT_TRUE(engine->submit(request_with(use), recorders.back(), {}));
    }
  }
  for (std::size_t i = 0; i < uses.size(); ++i) {
    EXPECT_EQ(recorders[i]->result().ids, alone[i].ids) << i;
    EXPECT_EQ(recorders[i]->result().usage.cached_tokens, 0U) << i;
  }
}

TEST_F(AdapterSetTest, AnAdapterOfWeightZeroIsThePlainModel) {
  const std::string one = add(0.5F);
  const auto engine = make_engine();
  const GenerationResult plain = answer(*engine, {});
  const GenerationResult zero = answer(*engine, {{one, 0.0F}});
  EXPECT_EQ(zero.ids, plain.ids);
  EXPECT_GT(zero.usage.cached_tokens, 0U);
}

TEST_F(AdapterSetTest, ARefusedRequestLeavesTheCacheAsItIs) {
  const auto engine = make_engine();
  answer(*engine, {});
  prompt::GenerationRequest request;
  request.prompt = {prompt::PlainText{"the"}};
  request.adapters = {{"abc"}};
  EXPECT_TRUE(is_error(generate(*engine, request, [](const Event&) {}, {}), ErrorKind::kUsage, {"abc"}));
  EXPECT_GT(answer(*engine, {}).usage.cached_tokens, 0U);
}

TEST_F(AdapterSetTest, AdaptersAreLoadedWithTheirModel) {
  const model::TinyAdapter adapter{.base = model_->model->config()};
  LoadOptions options;
  options.adapters.push_back({file_of(adapter), 0.25F});
  const auto loaded = load(options);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ((*loaded)->default_adapters, (std::vector<AdapterUse>{{add(0.5F), 0.25F}}));

  options.adapters.push_back({file_of(adapter), 1.0F});
  EXPECT_TRUE(is_error(load(options), ErrorKind::kUsage, {"adapter.gguf", "twice"}));
}

TEST_F(AdapterSetTest, AnAdapterOfAnotherModelIsRefusedBeforeAnyWeightIsRead) {
  model::TinyAdapter adapter{.base = model_->model->config()};
  adapter.base.ffn += 1;
  LoadOptions options;
  options.adapters.push_back({file_of(adapter), 1.0F});
  bool asked = false;
  options.admit = [&asked](const model::Checkpoint&) -> Result<> {
    asked = true;
    return {};
  };
  EXPECT_TRUE(is_error(load(options), ErrorKind::kInvalidModel, {"[25, 16]", "[24, 16]"}));
  EXPECT_FALSE(asked);
}

}  // namespace
}  // namespace carat::engine
