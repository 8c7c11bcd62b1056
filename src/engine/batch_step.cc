#include "engine/batch_step.h"

#include <algorithm>

namespace carat::engine {

CommonStop::CommonStop(std::span<const std::stop_token> all, const std::stop_token& alone)
    : running_(all.size()) {
  callbacks_.emplace_back(alone, [this] { source_.request_stop(); });
  for (const std::stop_token& token : all) {
    callbacks_.emplace_back(token, [this] {
      if (running_.fetch_sub(1) == 1) source_.request_stop();
    });
  }
}

Result<> BatchStep::run(std::span<const StepPart> parts, const std::stop_token& shutdown) {
  fill(parts);
  std::vector<std::stop_token> stops;
  for (const StepPart& part : parts) stops.push_back(part.request->stop_token());
  {
    const CommonStop stop(stops, shutdown);
    const model::Batch batch{
        .rows = rows_, .sequences = sequences_, .geometry = &pool_.geometry(), .adapters = adapters_};
    CARAT_TRY_VOID(model_.forward(batch, stop.token(), output_));
  }
  fail_bad_rows(parts);
  OutputReader reader(output_);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    // One that was stopped meanwhile has nobody to tell.
    if (parts[i].request->check_over()) {
      skip_outputs(i, reader);
    } else {
      parts[i].request->take(parts[i].end, reader);
    }
  }
  return {};
}

void BatchStep::fill(std::span<const StepPart> parts) {
  rows_.clear();
  sequences_.clear();
  adapters_.clear();
  output_.candidate_count = 1;
  for (const StepPart& part : parts) {
    part.request->append_rows(part.end, sequences_.size(), rows_);
    sequences_.push_back(part.request->kv().view());
    adapters_.push_back(part.request->scope().adapters);
    output_.candidate_count = std::max(output_.candidate_count, part.request->candidate_count());
  }
}

void BatchStep::fail_bad_rows(std::span<const StepPart> parts) const {
  for (const model::BadRow& bad : output_.bad_rows) {
    const model::Row& row = rows_[bad.row];
    ActiveRequest& request = *parts[row.sequence].request;
    if (request.failed()) continue;
    request.set_outcome(Error{
        ErrorKind::kFailed,
        fmt::format(
            "the model computed a number that is not finite, first in layer {}, at position {}: its weights "
            "are damaged, or it does not suit this precision",
            bad.layer, row.position)});
  }
}

void BatchStep::skip_outputs(std::size_t part, OutputReader& reader) const {
  for (const model::Row& row : rows_) {
    if (row.sequence != part) continue;
    if (row.output == model::RowOutput::kLogits) reader.next_logits();
    if (row.output == model::RowOutput::kTopCandidates) reader.next_candidates();
  }
}

}  // namespace carat::engine
