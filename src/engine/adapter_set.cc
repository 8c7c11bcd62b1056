#include "engine/adapter_set.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/sha256.h"

namespace carat::engine {

Result<std::string> AdapterSet::add(const model::AdapterFile& file, const model::GemmaConfig& base,
                                    backend::Backend& backend) {
  CARAT_TRY(std::unique_ptr<const model::Adapter> adapter, model::Adapter::load(file, base, backend));
  std::string id = to_hex(adapter->content_hash());
  adapters_.try_emplace(id, std::move(adapter));
  return id;
}

Result<std::vector<model::WeightedAdapter>> AdapterSet::resolve(
    std::span<const prompt::AdapterUse> uses) const {
  std::vector<model::WeightedAdapter> resolved;
  for (const auto& [id, weight] : uses) {
    const auto found = adapters_.find(id);
    if (found == adapters_.end()) return fail(ErrorKind::kUsage, "no adapter '{}' is loaded", id);
    if (!std::isfinite(weight)) {
      return fail(ErrorKind::kUsage, "adapter '{}': expected a finite weight, found {}", id, weight);
    }
    if (std::ranges::count(uses, id, &prompt::AdapterUse::id) > 1) {
      return fail(ErrorKind::kUsage, "adapter '{}' is named twice: give it one weight", id);
    }
    if (weight != 0.0F) resolved.push_back({found->second.get(), weight});
  }
  return resolved;
}

std::size_t AdapterSet::bytes() const {
  std::size_t bytes = 0;
  for (const auto& [id, adapter] : adapters_) bytes += adapter->bytes();
  return bytes;
}

}  // namespace carat::engine
