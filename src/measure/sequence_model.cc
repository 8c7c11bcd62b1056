#include "measure/sequence_model.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/kv_cache.h"
#include "model/batch.h"
#include "model/kv_geometry.h"

namespace carat::measure {
namespace {

class EngineSequence final : public SequenceModel {
 public:
  EngineSequence(model::Model& model, const model::KvGeometry& geometry, const model::KvCapacity& capacity,
                 std::vector<model::WeightedAdapter> adapters)
      : model_(model),
        adapters_(std::move(adapters)),
        pool_(geometry, capacity),
        sequence_(pool_, /*rollback_tokens=*/0) {}

  void reset() override { sequence_.truncate(0); }

  Result<std::span<const std::vector<float>>> append(std::span<const TokenId> tokens, std::size_t logit_rows,
                                                     const std::stop_token& stop) override {
    CARAT_CHECK(!tokens.empty() && logit_rows <= tokens.size());
    CARAT_TRY_VOID(sequence_.prepare(tokens.size()));
    rows_.clear();
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      model::Row row;
      row.token = tokens[i];
      row.position = static_cast<std::uint32_t>(sequence_.length() + i);
      row.output = i + logit_rows >= tokens.size() ? model::RowOutput::kLogits : model::RowOutput::kNone;
      rows_.push_back(row);
    }
    const model::SequenceKv sequences[] = {sequence_.view()};
    model::Batch batch;
    batch.rows = rows_;
    batch.sequences = sequences;
    batch.geometry = &pool_.geometry();
    const model::AdapterList adapters = adapters_;
    batch.adapters = {&adapters, 1};
    CARAT_TRY_VOID(model_.forward(batch, stop, output_));
    sequence_.advance(tokens.size());
    return std::span<const std::vector<float>>(output_.logits);
  }

 private:
  model::Model& model_;
  std::vector<model::WeightedAdapter> adapters_;
  engine::KvPool pool_;
  engine::KvSequence sequence_;
  std::vector<model::Row> rows_;
  model::BatchOutput output_;
};

}  // namespace

Result<std::unique_ptr<SequenceModel>> make_sequence_model(engine::LoadedModel& model, std::size_t max_tokens,
                                                           tensor::KvType kv_type) {
  const model::GemmaConfig& config = model.model->config();
  if (max_tokens > config.max_context) {
    return fail(ErrorKind::kUsage, "{} tokens are more than the model's context of {}", max_tokens,
                config.max_context);
  }
  const model::KvGeometry geometry(config, kv_type);
  const model::KvLimits limits = {.context_length = max_tokens,
                                  .step_rows = std::min(max_tokens, kPrefillTokens)};
  CARAT_TRY(std::vector<model::WeightedAdapter> adapters, model.adapters.resolve(model.default_adapters));
  return std::make_unique<EngineSequence>(*model.model, geometry, model::sequence_capacity(geometry, limits),
                                          std::move(adapters));
}

}  // namespace carat::measure
