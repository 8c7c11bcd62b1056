#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/active_request.h"
#include "engine/admission_queue.h"
#include "engine/constraint_queue.h"
#include "engine/engine.h"
#include "engine/image_reader.h"
#include "engine/load_model.h"
#include "engine/running_requests.h"
#include "engine/token_mask.h"
#include "grammar/grammar_compiler.h"
#include "tensor/kv_block.h"

namespace carat::engine {

struct LocalEngineOptions {
  std::size_t context_length = 4096;  // tokens of prompt and answer together
  std::size_t conversations = 1;      // of that length that the KV cache has room for; of shorter ones, more
  std::size_t max_running = 32;       // requests of one batch
  std::size_t max_waiting = 256;      // requests in the queue
  std::size_t prefill_chunk = 512;    // most rows of one step that read prompts
  std::size_t rollback_tokens =
      1024;                   // the end of a conversation that can change without reading all of it anew
  double step_seconds = 0.1;  // about as long does a chunk of prefill keep decoding requests waiting
  std::size_t max_kv_bytes = SIZE_MAX;  // refuse a cache that could need more
  tensor::KvType kv_type = tensor::KvType::kF16;
  ImageCacheOptions image_cache = {};
  grammar::CompilerOptions grammar = {};  // of output constraints
};

// A model of this process. One thread runs steps for as long as there are requests; see RunningRequests for
// what a step is, and docs/decisions/many-requests.md for why. The text of a request depends on the request
// alone, whatever else is in the batch and in the cache.
class LocalEngine final : public Engine {
 public:
  // kUsage when an option is zero or the context is longer than the model's, kDoesNotFit when the cache could
  // need more than max_kv_bytes. The model and the clock must outlive the engine, and nobody else uses the
  // model meanwhile.
  static Result<std::unique_ptr<LocalEngine>> create(LoadedModel& model, const LocalEngineOptions& options,
                                                     const Clock& clock);
  // Requests that are not over end with kInterrupted as their error.
  ~LocalEngine() override;

  Result<> submit(prompt::GenerationRequest request, std::shared_ptr<Receiver> receiver,
                  const std::stop_token& stop) override;
  Result<std::size_t> count_tokens(const prompt::GenerationRequest& request) override;
  Capabilities capabilities() const override;
  EngineStatus status() const override;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer() const override { return model_.tokenizer; }

 private:
  using Requests = std::vector<std::unique_ptr<ActiveRequest>>;

  LocalEngine(LoadedModel& model, const LocalEngineOptions& options, const model::KvGeometry& geometry,
              const WorkLimits& limits, const Clock& clock);

  Result<PromptTokens> encode(const prompt::GenerationRequest& request);
  Result<> check_queue() const;  // mutex_ is held

  void run();
  bool wait_for_work();
  void take_compiled(Requests& over);
  std::size_t waiting() const { return queue_.size() + compiling_.size(); }  // mutex_ is held
  Requests admit();
  void finish(const Requests& finished);
  void put_back(Requests preempted);
  void end_all();

  LoadedModel& model_;
  LocalEngineOptions options_;
  const Clock& clock_;
  TokenMask mask_;
  RequestSurroundings surroundings_;
  std::optional<ImageReader> images_;  // none: the model is text-only
  RunningRequests running_;            // of the loop's thread

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  AdmissionQueue queue_;
  Requests compiling_;  // requests whose constraint is not compiled yet
  EngineStatus status_;
  std::stop_source shutdown_;
  std::thread loop_;
  // Last: its thread tells this object of constraints that are compiled.
  std::optional<ConstraintQueue> constraints_;
};

}  // namespace carat::engine
