#include "measure/prompt_logits.h"

#include <algorithm>

#include "engine/kv_cache.h"
#include "model/batch.h"
#include "model/kv_geometry.h"

namespace carat::measure {

Result<> prompt_logits(engine::LoadedModel& model, const engine::PromptTokens& prompt, tensor::KvType kv_type,
                       std::size_t chunk, const std::stop_token& stop, const TakeLogits& take) {
  const model::GemmaConfig& config = model.model->config();
  const std::size_t size = prompt.ids.size();
  if (size > config.max_context) {
    return fail(ErrorKind::kFailed, "{} tokens are more than the model's context of {}", size,
                config.max_context);
  }
  const model::KvGeometry geometry(config, kv_type);
  std::size_t longest = 0;
  for (std::size_t begin = 0; begin < size;) {
    const std::size_t end = engine::step_end(prompt, begin, chunk);
    longest = std::max(longest, end - begin);
    begin = end;
  }
  CARAT_TRY(const std::vector<model::WeightedAdapter> weighted,
            model.adapters.resolve(model.default_adapters));
  const model::AdapterList adapters = weighted;
  engine::KvPool pool(geometry,
                      model::sequence_capacity(geometry, {.context_length = size, .step_rows = longest}));
  engine::KvSequence sequence(pool, /*rollback_tokens=*/0);
  std::vector<model::Row> rows;
  model::BatchOutput output;
  while (sequence.length() < size) {
    const std::size_t begin = sequence.length();
    const std::size_t end = engine::step_end(prompt, begin, chunk);
    CARAT_TRY_VOID(sequence.prepare(end - begin));
    rows.clear();
    engine::append_rows(prompt, begin, end, config.d_model, rows);
    for (model::Row& row : rows) row.output = model::RowOutput::kLogits;
    const model::SequenceKv view = sequence.view();
    CARAT_TRY_VOID(model.model->forward(
        {.rows = rows, .sequences = {&view, 1}, .geometry = &geometry, .adapters = {&adapters, 1}}, stop,
        output));
    sequence.advance(end - begin);
    CARAT_TRY_VOID(take(output.logits));
  }
  return {};
}

}  // namespace carat::measure
