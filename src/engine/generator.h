#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/generation.h"
#include "engine/image_reader.h"
#include "engine/kv_cache.h"
#include "engine/load_model.h"
#include "engine/prompt_tokens.h"
#include "engine/sampler.h"
#include "engine/token_mask.h"
#include "model/batch.h"
#include "prompt/generation_request.h"
#include "tensor/kv_block.h"

namespace carat::engine {

struct GeneratorOptions {
  std::size_t context_length = 4096;  // tokens of prompt and answer together
  std::size_t prefill_chunk = 512;    // rows per step while reading the prompt
  std::size_t rollback_tokens =
      1024;  // the end of a conversation that can change without reading all of it anew
  std::size_t max_kv_bytes = SIZE_MAX;  // refuse a context that could need more
  tensor::KvType kv_type = tensor::KvType::kF16;
  ImageCacheOptions image_cache = {};
};

// Generates the answers of one conversation after the other. Keeps the keys and values of the last one, so
// that a prompt that begins like it is read only from where it differs. One caller at a time.
class Generator {
 public:
  // kUsage when an option is zero or the context is longer than the model's, kDoesNotFit when it could need
  // more than max_kv_bytes. The model and the clock must outlive the generator.
  static Result<std::unique_ptr<Generator>> create(LoadedModel& model, const GeneratorOptions& options,
                                                   const Clock& clock);

  // Reads the prompt and generates one answer. A prompt starts with exactly one BOS, whether its pieces bring
  // one or not. Events arrive on the calling thread. kUsage for sampling parameters out of range and for
  // images that the model cannot see; kFailed for a prompt that leaves no room for an answer (nothing is ever
  // cut), or when the model computes no number. A requested stop is no error: the result holds what there is,
  // and the cache stays usable.
  Result<GenerationResult> generate(const prompt::GenerationRequest& request, const EventSink& sink,
                                    const std::stop_token& stop);

  // Forgets the last conversation.
  void clear();

  std::size_t context_length() const { return options_.context_length; }
  std::size_t kv_bytes() const { return pool_.bytes_in_use(); }

 private:
  Generator(LoadedModel& model, const GeneratorOptions& options, const model::KvGeometry& geometry,
            const model::KvCapacity& capacity, const Clock& clock);

  Result<PromptTokens> encode(const prompt::GenerationRequest& request);
  std::size_t reuse_cache(const PromptTokens& prompt);
  Result<GenerationResult> answer(PromptTokens& prompt, const prompt::SamplingParams& params,
                                  const EventSink& sink, const std::stop_token& stop);
  Result<> look(PromptTokens& prompt, std::size_t from, const EventSink& sink, const std::stop_token& stop);
  Result<> prefill(const PromptTokens& prompt, model::RowOutput last_output, const EventSink& sink,
                   const std::stop_token& stop);
  // Runs positions from the end of the cache up to `end` of `tokens`.
  Result<> run(const PromptTokens& tokens, std::size_t end, model::RowOutput last_output,
               const std::stop_token& stop);
  Result<> run_answer_token(TokenId token, model::RowOutput output, const std::stop_token& stop);
  // The cache now holds the prompt up to `end`.
  void remember(const PromptTokens& prompt, std::size_t end);

  LoadedModel& model_;
  GeneratorOptions options_;
  const Clock& clock_;
  TokenMask mask_;
  KvPool pool_;
  KvSequence sequence_;
  std::optional<ImageReader> images_;  // none: the model is text-only
  PromptTokens cached_;  // what the KV cache holds, [sequence_.length()], without images and soft tokens
  std::vector<model::Row> rows_;  // scratch
  model::BatchOutput output_;     // of the latest run
};

}  // namespace carat::engine
