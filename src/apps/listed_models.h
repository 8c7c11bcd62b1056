#pragma once

#include <vector>

#include "apps/runtime.h"
#include "hub/model_caches.h"

namespace carat::apps {

// The places of all models of this user: those of the store, then those of other programs' caches, which
// nobody writes to. What cannot be used, or is of another family, is among them.
std::vector<hub::CachedModel> listed_models(const Runtime& runtime);

}  // namespace carat::apps
