#include "apps/store_models.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "apps/model_facts.h"
#include "apps/model_plan.h"
#include "apps/open_model.h"
#include "apps/serve_model.h"
#include "base/size_text.h"
#include "hub/model_store.h"
#include "hub/model_summary.h"

namespace carat::apps {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAll = "all";

// No path in it: clients are told.
Error no_such_model() { return {ErrorKind::kNotFound, "there is no such model"}; }

}  // namespace

StoreModels::StoreModels(const Runtime& runtime, std::vector<std::string> allowed,
                         server::ImageDecoder decode_image)
    : runtime_(runtime), allowed_(std::move(allowed)), decode_image_(std::move(decode_image)) {}

void StoreModels::claim(const fs::path& path, const std::string& id) {
  const std::scoped_lock lock(mutex_);
  claimed_[path] = id;
}

// Of two of one name the store's comes first, and is the only one.
std::vector<StoreModels::Place> StoreModels::places() const {
  std::vector<Place> places;
  const auto add = [&](Place place) {
    if (std::ranges::find(places, place.id, &Place::id) == places.end()) places.push_back(std::move(place));
  };
  for (hub::StoredModel& model : model_store(runtime_).list())
    add({std::move(model.name), std::move(model.path), std::move(model.other_names)});
  for (hub::CachedModel& model : hub::cached_models(cache_folders()))
    add({std::move(model.name), std::move(model.path)});
  std::erase_if(places, [this](const Place& place) { return !allows(place); });
  const std::scoped_lock lock(mutex_);
  for (Place& place : places) {
    if (const auto claimed = claimed_.find(place.path); claimed != claimed_.end()) {
      place.other_names.push_back(std::exchange(place.id, claimed->second));
    }
  }
  return places;
}

bool StoreModels::allows(const Place& place) const {
  return std::ranges::any_of(allowed_, [&](const std::string& name) {
    return name == kAll || name == place.id ||
           std::ranges::find(place.other_names, name) != place.other_names.end() ||
           hub::canonical_name(name) == hub::canonical_name(place.id);
  });
}

// Exact names first, then other spellings of one.
Result<StoreModels::Place> StoreModels::place_of(const std::string& name) const {
  if (fs::path(name).is_absolute()) return std::unexpected(no_such_model());
  std::vector<Place> all = places();
  for (Place& place : all) {
    if (place.id == name || std::ranges::find(place.other_names, name) != place.other_names.end())
      return std::move(place);
  }
  const auto same = [&](const Place& place) {
    return hub::canonical_name(place.id) == hub::canonical_name(name);
  };
  if (std::ranges::count_if(all, same) != 1) return std::unexpected(no_such_model());
  return std::move(*std::ranges::find_if(all, same));
}

std::optional<server::CatalogueModel> StoreModels::describe(const Place& place) {
  std::error_code error;
  const fs::file_time_type modified = fs::last_write_time(place.path, error);
  if (error) return std::nullopt;
  {
    const std::scoped_lock lock(mutex_);
    const auto known = remembered_.find(place.path);
    if (known != remembered_.end() && known->second.modified == modified) return known->second.model;
  }
  server::CatalogueModel model;
  const auto summary = hub::summarize_model(place.path, [&](const model::Checkpoint& checkpoint) {
    model.context_length =
        std::min(context_length(runtime_, checkpoint.config()), checkpoint.config().max_context);
  });
  Remembered seen{.modified = modified, .model = {}};
  if (const auto facts = model_facts(place.path); summary && *summary && facts) {
    model.facts = *facts;
    model.images = (*summary)->has_vision;
    model.instruction_tuned = (*summary)->instruction_tuned;
    seen.model = std::move(model);
  }
  const std::scoped_lock lock(mutex_);
  return remembered_.insert_or_assign(place.path, std::move(seen)).first->second.model;
}

std::vector<server::CatalogueModel> StoreModels::list() {
  std::vector<server::CatalogueModel> models;
  for (const Place& place : places()) {
    auto model = describe(place);
    if (!model) continue;
    model->id = place.id;
    models.push_back(std::move(*model));
  }
  std::ranges::sort(models, {}, &server::CatalogueModel::id);
  return models;
}

Result<std::string> StoreModels::resolve(const std::string& name) {
  CARAT_TRY(const Place place, place_of(name));
  if (!describe(place)) return std::unexpected(no_such_model());
  return place.id;
}

Result<std::uint64_t> StoreModels::needed_bytes(const std::string& id) {
  CARAT_TRY(const Place place, place_of(id));
  return served_bytes(runtime_for(runtime_, place.path), place.path);
}

Result<std::shared_ptr<const server::ServedModel>> StoreModels::load(const std::string& id,
                                                                     const std::stop_token& stop) {
  CARAT_TRY(const Place place, place_of(id));
  Runtime own = runtime_for(runtime_, place.path);
  CARAT_TRY(const std::uint64_t needed, served_bytes(own, place.path));
  if (const auto memory = memory_here(); memory && needed > *memory) {
    return fail(ErrorKind::kDoesNotFit, "the model '{}' needs {} of memory, and this machine has {} left", id,
                memory_size_text(needed), memory_size_text(*memory));
  }
  CARAT_TRY(auto backend, make_backend(own));
  CARAT_TRY(auto model, engine::load_model(place.path.string(), std::move(backend), {}, stop,
                                           {.checkpoint = checkpoint_options(own),
                                            .vision_precision = vision_precision(own)}));
  limit_context(own, *model);
  return serve_model(own, std::move(model), place.path, id, decode_image_);
}

}  // namespace carat::apps
