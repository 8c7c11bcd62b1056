#pragma once

#include <filesystem>

#include "base/result.h"
#include "server/served_model.h"

namespace carat::apps {

// What catalogues of a server say of a model's files; only their headers are read. Errors are those of
// hub::summarize_model.
Result<server::ModelFacts> model_facts(const std::filesystem::path& path);

}  // namespace carat::apps
