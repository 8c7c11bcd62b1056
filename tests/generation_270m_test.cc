#include <gmock/gmock.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "base/clock.h"
#include "engine/load_model.h"
#include "engine/local_engine.h"
#include "prompt/generation_request.h"
#include "tokenizer/test_full_vocabulary.h"

namespace carat::tests {
namespace {

using engine::FinishReason;
using engine::GenerationResult;
using engine::LocalEngine;
using engine::LocalEngineOptions;
using prompt::GenerationRequest;
using prompt::PlainText;
using prompt::TokenIds;
using tokenizer::default_model_path;

constexpr const char* kQuestion =
    "A conversation between a user and a helpful assistant.\n\n"
    "### User: What is the largest ocean?\n### Assistant: The largest ocean is the Pacific Ocean.\n\n"
    "### User: How many days has a week?\n### Assistant: A week has seven days.\n\n"
    "### User: What is the capital of France?\n### Assistant:";

// The default model on this machine's processor. Skipped, visibly, where the file is absent.
class Generation270mTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!std::filesystem::exists(default_model_path())) return;
    auto backend = backend::make_cpu_backend({.threads = 2, .level = "", .exact_activations = false});
    ASSERT_TRUE(backend) << backend.error().message;
    auto loaded = engine::load_model(default_model_path(), std::move(*backend), [](auto, auto) {}, {});
    ASSERT_TRUE(loaded) << loaded.error().message;
    model_ = std::move(*loaded);
  }
  static void TearDownTestSuite() { model_.reset(); }

  void SetUp() override {
    if (!model_) GTEST_SKIP() << "no model at " << default_model_path() << "; set CARAT_MODEL";
  }

  std::unique_ptr<LocalEngine> make(std::size_t prefill_chunk = 512) const {
    LocalEngineOptions options;
    options.context_length = 2048;
    options.prefill_chunk = prefill_chunk;
    return LocalEngine::create(*model_, options, clock_).value();
  }
  static GenerationRequest request(std::vector<prompt::Piece> pieces, float temperature) {
    GenerationRequest request{.prompt = std::move(pieces), .sampling = {}};
    request.sampling.temperature = temperature;
    request.sampling.seed = 1;
    request.sampling.max_tokens = 24;
    request.sampling.stop = {"\n### User:"};
    return request;
  }
  static GenerationResult answer(LocalEngine& engine, const GenerationRequest& request) {
    return engine::generate(engine, request, [](const engine::Event&) {}, {}).value();
  }

  static inline std::unique_ptr<engine::LoadedModel> model_;
  SteadyClock clock_;
};

TEST_F(Generation270mTest, KnowsTheCapitalOfFrance) {
  const auto engine = make();
  const GenerationResult result = answer(*engine, request({PlainText{kQuestion}}, /*temperature=*/0.0F));
  EXPECT_THAT(result.text, testing::HasSubstr("Paris"));
  EXPECT_EQ(result.finish, FinishReason::kStop);
}

TEST_F(Generation270mTest, TheSameSeedGivesTheSameTextWhateverTheChunksAndTheCache) {
  const GenerationRequest first = request({PlainText{kQuestion}}, /*temperature=*/1.0F);
  const auto engine = make();
  const GenerationResult expected = answer(*engine, first);
  for (const std::size_t chunk : {7, 64}) EXPECT_EQ(answer(*make(chunk), first).ids, expected.ids) << chunk;
  EXPECT_EQ(answer(*engine, first).ids, expected.ids);  // all but the last token of the prompt is cached

  const GenerationRequest next = request(
      {PlainText{kQuestion}, TokenIds{expected.ids}, PlainText{"\n### User: And of Italy?\n### Assistant:"}},
      1.0F);
  const GenerationResult reused = answer(*engine, next);
  EXPECT_GE(reused.usage.cached_tokens, expected.usage.prompt_tokens);
  EXPECT_EQ(reused.ids, answer(*make(), next).ids);
}

// The processor's kernels too give each row the same bits whatever else is in the batch.
TEST_F(Generation270mTest, EightAtOnceSayWhatEachSaysAlone) {
  std::vector<GenerationRequest> requests;
  for (std::size_t i = 0; i < 8; ++i) {
    std::string text = kQuestion;
    for (std::size_t word = 0; word < 40 * i; ++word) text += " sea";
    requests.push_back(request({PlainText{std::move(text)}}, i % 2 == 0 ? 1.0F : 0.0F));
    requests.back().owner = std::to_string(i);
    requests.back().sampling.seed = i;
    requests.back().sampling.logprobs = 2;
  }
  const auto told = [](LocalEngine& engine, const GenerationRequest& one) {
    std::string out;
    const auto add = [&out](const engine::Event& event) {
      const auto* token = std::get_if<engine::TokenEvent>(&event);
      if (token != nullptr) out += fmt::format("{} {:a}\n", token->token, token->logprobs->top[1].logprob);
    };
    const auto result = engine::generate(engine, one, add, {});
    return result ? out : result.error().message;
  };
  std::vector<std::string> alone;
  for (const GenerationRequest& one : requests) alone.push_back(told(*make(), one));
  LocalEngineOptions options;
  options.context_length = 2048;
  options.conversations = 4;
  const auto engine = LocalEngine::create(*model_, options, clock_).value();
  std::vector<std::string> together(requests.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    threads.emplace_back([&, i] { together[i] = told(*engine, requests[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(together[i], alone[i]) << i;
}

}  // namespace
}  // namespace carat::tests
