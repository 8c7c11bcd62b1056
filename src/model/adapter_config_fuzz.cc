// Any text as an adapter_config.json: what is accepted has scales that are numbers.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "model/adapter_config.h"

using namespace carat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = model::adapter_config_from_peft(text, "fuzz");
  if (!config) return 0;
  for (const std::string_view module :
       {"model.layers.0.self_attn.q_proj", "q_proj", "layers.17.mlp.up_proj", ""}) {
    const std::size_t rank = config->rank_of(module);
    CARAT_CHECK(rank >= 1 && rank <= model::kMaxAdapterRank);
    CARAT_CHECK(std::isfinite(config->scale_of(module, rank)));
  }
  return 0;
}
