#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "backend/backend.h"
#include "base/result.h"
#include "base/sha256.h"
#include "model/checkpoint.h"
#include "model/vision_tower.h"

namespace carat::engine {

// The image tower of a model, packed when the first image comes: most conversations never need it.
class VisionLoader {
 public:
  // `checkpoint` has a tower. The backend outlives this object.
  VisionLoader(model::Checkpoint checkpoint, backend::Backend& backend, model::VisionPrecision precision)
      : checkpoint_(std::move(checkpoint)), backend_(backend), precision_(precision) {}

  const model::VisionConfig& config() const { return checkpoint_.vision()->config(); }

  // Errors are those of VisionTower::load.
  Result<model::VisionTower*> tower(const std::stop_token& stop);

  // Tells towers apart whose soft tokens differ: a digest of configuration, precision and samples of every
  // tensor. Errors are those of reading the file. Any thread may ask.
  Result<Sha256Digest> fingerprint();

  // Memory held by packed weights; 0 before the first image.
  std::size_t weight_bytes() const { return tower_ ? tower_->weight_bytes() : 0; }

 private:
  model::Checkpoint checkpoint_;
  backend::Backend& backend_;
  model::VisionPrecision precision_;
  std::unique_ptr<model::VisionTower> tower_;
  std::mutex fingerprint_mutex_;
  std::optional<Sha256Digest> fingerprint_;
};

}  // namespace carat::engine
