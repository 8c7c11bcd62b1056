#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/active_request.h"
#include "engine/batch_step.h"
#include "engine/image_reader.h"
#include "engine/kept_sequences.h"
#include "engine/kv_cache.h"
#include "engine/load_model.h"
#include "engine/step_planner.h"
#include "model/kv_capacity.h"

namespace carat::engine {

// What bounds the work of one step, and the memory of all.
struct WorkLimits {
  model::KvCapacity capacity;  // of all sequences
  std::size_t longest_step = 1;
  std::size_t prefill_chunk = 1;
  std::size_t rollback_tokens = 0;
  double step_seconds = 0;
};

// The admitted requests, in order of admission, and the keys and values of these and of finished ones. Does
// all work of the model: each step is one image looked at, and one batch of one token of every decoding
// request plus a chunk of prefill. Not thread-safe.
class RunningRequests {
 public:
  // All of them outlive this object; `images` is null when the model is text-only.
  RunningRequests(LoadedModel& model, const model::KvGeometry& geometry, const WorkLimits& limits,
                  ImageReader* images, const Clock& clock);

  bool empty() const { return running_.empty(); }
  std::size_t size() const { return running_.size(); }

  // Whether there is memory for one more beside the others as long as they are now.
  bool has_room_for(const ActiveRequest& request) const;
  void add(std::unique_ptr<ActiveRequest> request) { running_.push_back(std::move(request)); }

  // One step. Errors become the outcome of the requests that they concern.
  void step(const std::stop_token& shutdown);

  // Those that have an outcome. Keeps the keys and values of those that did not fail.
  std::vector<std::unique_ptr<ActiveRequest>> take_finished();
  // Those that had to give their memory to older ones, the oldest first. They are not among the running any
  // more.
  std::vector<std::unique_ptr<ActiveRequest>> take_preempted();

  // All of them, at the end.
  std::vector<std::unique_ptr<ActiveRequest>> take_all();

  std::uint64_t steps() const { return steps_; }  // batches and images done
  std::size_t kept() const { return kept_.size(); }
  std::size_t kv_bytes() const { return pool_.bytes_in_use(); }

 private:
  void start_those_ready();
  bool waits_for_another(const ActiveRequest& request) const;
  std::unique_ptr<KvSequence> open_sequence(const ActiveRequest& request);
  const ActiveRequest* best_source(const ActiveRequest& request, std::size_t longer_than) const;

  void look_at_an_image(const std::stop_token& shutdown);
  std::vector<StepPart> plan();
  void prepare(std::vector<StepPart>& parts);
  Result<> prepare_sequence(KvSequence& sequence, std::size_t rows);
  bool preempt_one_younger_than(const ActiveRequest& request, std::vector<StepPart>& parts);
  void give_up(ActiveRequest& request, std::vector<StepPart>& parts, Error error);
  void preempt(const ActiveRequest& request, std::vector<StepPart>& parts);
  void run(const std::vector<StepPart>& parts, const std::stop_token& shutdown);

  const Clock& clock_;
  WorkLimits limits_;
  ImageReader* images_;
  KvPool pool_;
  KeptSequences kept_;
  std::vector<std::unique_ptr<ActiveRequest>> running_;
  std::vector<std::unique_ptr<ActiveRequest>> preempted_;
  PrefillTurns prefill_turns_;
  PrefillTurns image_turns_;
  PrefillPace pace_;
  BatchStep batch_;
  std::uint64_t steps_ = 0;
};

}  // namespace carat::engine
