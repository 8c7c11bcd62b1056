#include "apps/model_plan.h"

#include <algorithm>

#include "engine/local_engine.h"
#include "measure/machine_files.h"
#include "planner/fit.h"

namespace carat::apps {

namespace {

constexpr std::size_t kDefaultContext = 4096;

}  // namespace

std::size_t context_length(const Runtime& runtime, const model::GemmaConfig& config) {
  const auto context = runtime.settings.integer(config::Setting::kContext);
  return context ? static_cast<std::size_t>(*context) : std::min(kDefaultContext, config.max_context);
}

planner::PlanRequest plan_request(const Runtime& runtime, const model::GemmaConfig& config) {
  const engine::LocalEngineOptions engine;
  planner::PlanRequest request;
  request.context_length = context_length(runtime, config);
  request.kv_type = kv_type(runtime);
  request.threads = thread_count(runtime);
  request.prefill_chunk = engine.prefill_chunk;
  request.rollback_tokens = engine.rollback_tokens;
  request.vision = vision_precision(runtime);
  request.exact_activations = runtime.settings.is_on(config::Setting::kExactActivations);
  return request;
}

std::optional<std::uint64_t> memory_here() {
  return measure::available_memory(measure::system_file_reader());
}

Result<> require_memory(const Runtime& runtime, const model::Checkpoint& checkpoint, const ModelUse& use,
                        std::uint64_t adapter_bytes) {
  const auto memory = memory_here();
  if (!memory) return {};
  const model::GemmaConfig& config = checkpoint.config();
  planner::PlanRequest request = plan_request(runtime, config);
  // One that is longer than the model's is refused for that, later and by name.
  request.context_length = std::min(use.context_length.value_or(request.context_length), config.max_context);
  request.users = use.conversations;
  request.logit_rows = use.logit_rows;
  request.adapter_bytes = adapter_bytes;
  request.vision = use.vision_precision ? use.vision_precision : request.vision;
  if (!use.sees_images) request.vision.reset();
  const planner::TensorTypes types = planner::types_of(checkpoint);
  if (planner::plan_memory(config, types, request).total() <= *memory) return {};
  const planner::FitReport report = planner::check_fit(config, types, request, *memory);
  return planner::require_fit(report, checkpoint.path(), "this machine");
}

}  // namespace carat::apps
