#include "apps/listed_models.h"

#include <utility>

#include "apps/open_model.h"
#include "hub/model_store.h"

namespace carat::apps {

std::vector<hub::CachedModel> listed_models(const Runtime& runtime) {
  std::vector<hub::CachedModel> places;
  for (const hub::StoredModel& model : model_store(runtime).list()) {
    places.push_back({model.name, hub::ModelOrigin::kStore, model.path});
  }
  for (hub::CachedModel& model : hub::cached_models(cache_folders())) places.push_back(std::move(model));
  return places;
}

}  // namespace carat::apps
