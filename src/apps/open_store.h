#pragma once

#include <memory>

#include "apps/runtime.h"
#include "base/result.h"
#include "store/store.h"

namespace carat::apps {

// The store that --store names, or this user's; null where nothing is to be kept. Errors are those of
// store::open_sqlite_store.
Result<std::unique_ptr<store::Store>> open_store(const Runtime& runtime);

}  // namespace carat::apps
