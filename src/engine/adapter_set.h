#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "model/adapter.h"
#include "model/batch.h"
#include "prompt/adapter_use.h"

namespace carat::engine {

// The adapters that are loaded beside one model, by their content hash.
class AdapterSet {
 public:
  // Loads an adapter and returns its id; one that is there already is not loaded twice. Errors are those of
  // Adapter::load.
  Result<std::string> add(const model::AdapterFile& file, const model::GemmaConfig& base,
                          backend::Backend& backend);

  // What a batch needs to apply them, in the same order, without those of weight 0: equal results stand for
  // equal computations. kUsage for an id that is not loaded or is named twice, and for a weight that is not
  // finite.
  Result<std::vector<model::WeightedAdapter>> resolve(std::span<const prompt::AdapterUse> uses) const;

  std::size_t bytes() const;  // memory held

 private:
  std::map<std::string, std::unique_ptr<const model::Adapter>, std::less<>> adapters_;
};

}  // namespace carat::engine
