#include "tokenizer/tokenizer.h"

#include <benchmark/benchmark.h>

#include <string>

#include "tokenizer/test_full_vocabulary.h"

namespace carat::tokenizer {
namespace {

// From arrays that are in memory, as the model's loader has them, to a tokenizer. Required: under 50 ms.
void BM_LoadVocabulary(benchmark::State& state) {
  const auto file = read_gguf_tokenizer(default_model_path());
  if (!file) return state.SkipWithError(file.error().message.c_str());
  for (auto _ : state) benchmark::DoNotOptimize(Tokenizer::from_pieces("bench", file->arrays()));
}
BENCHMARK(BM_LoadVocabulary)->Unit(benchmark::kMillisecond);

void BM_Encode(benchmark::State& state, std::string_view sentence) {
  const auto file = read_gguf_tokenizer(default_model_path());
  if (!file) return state.SkipWithError(file.error().message.c_str());
  const auto tokenizer = Tokenizer::from_pieces("bench", file->arrays()).value();
  std::string text;
  while (text.size() < 100'000) text += sentence;
  std::size_t tokens = 0;
  for (auto _ : state) tokens += tokenizer->encode(text, ControlTokens::kAsText).size();
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
  state.counters["tokens"] = benchmark::Counter(static_cast<double>(tokens), benchmark::Counter::kIsRate);
}
BENCHMARK_CAPTURE(BM_Encode, English,
                  "The quick brown fox jumps over the lazy dog, and nobody seems to mind. ")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Encode, Lines, "  if (x < 10) {\n    return f(x, \"y\");\n  }\n")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Encode, WithoutSpaces, "你好世界今天天气怎么样")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace carat::tokenizer
