#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "engine/active_request.h"
#include "engine/kv_cache.h"
#include "model/batch.h"
#include "model/model.h"

namespace carat::engine {

// Stops once every one of several tokens was stopped, or another one was: a step goes on for as long as
// anybody waits for it.
class CommonStop {
 public:
  CommonStop(std::span<const std::stop_token> all, const std::stop_token& alone);
  CommonStop(const CommonStop&) = delete;
  CommonStop& operator=(const CommonStop&) = delete;
  std::stop_token token() const { return source_.get_token(); }

 private:
  std::atomic<std::size_t> running_;
  std::stop_source source_;
  std::deque<std::stop_callback<std::function<void()>>> callbacks_;
};

// What one request does in a step.
struct StepPart {
  ActiveRequest* request = nullptr;
  std::size_t end = 0;  // of its rows
};

// Runs one batch of the model and hands each request its share of what it yielded.
class BatchStep {
 public:
  BatchStep(model::Model& model, const KvPool& pool) : model_(model), pool_(pool) {}

  // Every part's sequence is prepared for its rows. A request whose own numbers are not finite gets an error
  // as its outcome, and the rest goes on. kInterrupted when all requests were stopped, or `shutdown` was: no
  // request has advanced.
  Result<> run(std::span<const StepPart> parts, const std::stop_token& shutdown);

  std::size_t rows() const { return rows_.size(); }  // of the latest batch

 private:
  void fill(std::span<const StepPart> parts);
  void fail_bad_rows(std::span<const StepPart> parts) const;
  void skip_outputs(std::size_t part, OutputReader& reader) const;

  model::Model& model_;
  const KvPool& pool_;
  std::vector<model::Row> rows_;
  std::vector<model::SequenceKv> sequences_;
  std::vector<model::AdapterList> adapters_;  // of each sequence
  model::BatchOutput output_;
};

}  // namespace carat::engine
