#include "apps/serve_model.h"

#include <algorithm>
#include <ctime>
#include <optional>
#include <span>
#include <utility>

#include "apps/load_image.h"
#include "apps/model_facts.h"
#include "apps/model_fingerprint.h"
#include "apps/model_plan.h"
#include "apps/open_model.h"
#include "hub/file_names.h"
#include "hub/model_summary.h"
#include "images/decoder.h"
#include "planner/memory_plan.h"
#include "planner/weights.h"
#include "server/picture_budget.h"
#include "terminal/sampling_settings.h"

namespace carat::apps {
namespace {

using config::Setting;

constexpr std::size_t kMostPictureBytes = std::size_t{2} << 30;  // of all requests at a time

// Everything that changes the numbers of an answer, besides the model's own files.
std::string numeric_options(const Runtime& runtime) {
  const config::Settings& settings = runtime.settings;
  return fmt::format("{} {} {} {} {}", CARAT_VERSION, settings.text(Setting::kKvType),
                     settings.is_on(Setting::kExactActivations), settings.text(Setting::kVisionPrecision),
                     settings.text(Setting::kMmproj));
}

void change(Runtime& runtime, Setting setting, config::Value value) {
  config::Settings::Entry entry = runtime.settings.entry(setting);
  entry.value = std::move(value);
  runtime.settings.set(setting, std::move(entry));
}

// An engine and its model, which goes after it.
struct OwnedEngine {
  std::unique_ptr<engine::LoadedModel> model;
  std::unique_ptr<engine::Engine> engine;
};

}  // namespace

Runtime runtime_for(const Runtime& runtime, const std::filesystem::path& model) {
  Runtime own = runtime;
  change(own, Setting::kModel, model.string());
  if (runtime.settings.text(Setting::kMmproj) != "none") change(own, Setting::kMmproj, std::monostate());
  return own;
}

void limit_context(Runtime& runtime, const engine::LoadedModel& model) {
  const std::size_t most = model.model->config().max_context;
  if (context_length(runtime, model.model->config()) > most)
    change(runtime, Setting::kContext, static_cast<std::int64_t>(most));
}

std::size_t served_conversations(const Runtime& runtime) {
  return static_cast<std::size_t>(runtime.settings.integer(Setting::kParallel).value());
}

Result<std::uint64_t> served_bytes(const Runtime& runtime, const std::filesystem::path& path) {
  std::uint64_t bytes = 0;
  CARAT_TRY(const auto summary, hub::summarize_model(path, [&](const model::Checkpoint& checkpoint) {
              const model::GemmaConfig& config = checkpoint.config();
              planner::PlanRequest request = plan_request(runtime, config);
              request.context_length = std::min(request.context_length, config.max_context);
              request.users = served_conversations(runtime);
              bytes = planner::plan_memory(config, planner::types_of(checkpoint), request).total();
            }));
  if (!summary) return fail(ErrorKind::kInvalidModel, "{}: is a model of another family", path.string());
  return bytes;
}

std::string model_id(const std::filesystem::path& path) {
  const bool is_file = path.extension() == ".gguf" || path.extension() == ".safetensors";
  const std::string name = (is_file ? path.stem() : path.filename()).string();
  const auto shard = hub::shard_of(name);
  return shard ? std::string(shard->name) : name;
}

server::ImageDecoder served_image_decoder(const Runtime& runtime) {
  auto decode = [decoder = image_decoder(runtime.settings)](
                    std::span<const std::byte> file,
                    const std::stop_token& stop) -> Result<std::shared_ptr<const prompt::Picture>> {
    CARAT_TRY(images::DecodedImage decoded, decoder.decode("the image", file, stop));
    return prompt::make_picture(std::move(decoded.image));
  };
  return server::with_picture_budget(std::move(decode), kMostPictureBytes);
}

Result<std::shared_ptr<const server::ServedModel>> serve_model(const Runtime& runtime,
                                                               std::unique_ptr<engine::LoadedModel> model,
                                                               const std::filesystem::path& path,
                                                               const std::string& id,
                                                               const server::ImageDecoder& decode_image) {
  auto served = std::make_shared<server::ServedModel>();
  auto owned = std::make_shared<OwnedEngine>();
  owned->model = std::move(model);
  CARAT_TRY(owned->engine, make_engine(runtime, *owned->model, served_conversations(runtime)));
  served->engine = std::shared_ptr<engine::Engine>(owned, owned->engine.get());
  served->id = id;
  served->style = prompt_style(runtime, *owned->model);
  served->sampling = terminal::sampling_params(settings_for(runtime, served->style));
  CARAT_TRY(const std::string fingerprint, model_fingerprint(path, numeric_options(runtime)));
  served->fingerprint = fingerprint;
  served->created = std::time(nullptr);
  CARAT_TRY(served->facts, model_facts(path));
  served->adapters = owned->model->default_adapters;
  if (owned->model->vision) served->decode_image = decode_image;
  served->pan_and_scan = runtime.settings.is_on(Setting::kPanAndScan);
  return served;
}

}  // namespace carat::apps
