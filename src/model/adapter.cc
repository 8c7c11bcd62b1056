#include "model/adapter.h"

#include <utility>

namespace carat::model {

Result<std::unique_ptr<const Adapter>> Adapter::load(const AdapterFile& file, const GemmaConfig& base,
                                                     backend::Backend& backend) {
  CARAT_TRY_VOID(file.check_base(base, base.name.empty() ? "the model" : base.name));
  std::unique_ptr<Adapter> adapter(new Adapter());
  adapter->additions_.resize(base.layers * kTensorIdCount);
  for (const AdapterEntry& entry : file.entries()) {
    Addition& addition =
        adapter->additions_[entry.layer * kTensorIdCount + static_cast<std::size_t>(entry.id)];
    CARAT_TRY(addition.down, backend.pack(entry.down, {}));
    CARAT_TRY(addition.up, backend.pack(entry.up, {}));
    addition.scale = entry.scale;
  }
  CARAT_TRY(adapter->content_hash_, file.content_hash());
  return std::unique_ptr<const Adapter>(std::move(adapter));
}

std::size_t Adapter::bytes() const {
  std::size_t bytes = 0;
  for (const Addition& addition : additions_) {
    if (addition.down) bytes += addition.down->bytes() + addition.up->bytes();
  }
  return bytes;
}

}  // namespace carat::model
