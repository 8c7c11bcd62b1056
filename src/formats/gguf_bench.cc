#include "formats/gguf.h"

#include <benchmark/benchmark.h>

#include "base/byte_source.h"
#include "formats/gguf_writer.h"

namespace carat::formats {
namespace {

// Opening a file is reading its vocabulary: 262,144 pieces of 7 bytes on average, with scores and types.
void BM_ReadVocabulary(benchmark::State& state) {
  constexpr std::size_t kPieces = 262'144;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < kPieces; ++i) texts.emplace_back(1 + i % 13, 'x');
  GgufWriter writer;
  writer.set_string_array("tokenizer.ggml.tokens", texts);
  writer.set_f32_array("tokenizer.ggml.scores", std::vector<float>(kPieces));
  writer.set_i32_array("tokenizer.ggml.token_type", std::vector<std::int32_t>(kPieces));
  const std::shared_ptr<const ByteSource> source = memory_source("vocabulary", writer.finish());
  for (auto _ : state) {
    const auto file = read_gguf(source);
    if (!file) return state.SkipWithError(file.error().message.c_str());
    benchmark::DoNotOptimize((*file->get_string_array("tokenizer.ggml.tokens"))->views());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(source->size()) * state.iterations());
}
BENCHMARK(BM_ReadVocabulary)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace carat::formats
