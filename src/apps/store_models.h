#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "apps/runtime.h"
#include "hub/model_caches.h"
#include "server/model_source.h"
#include "server/served_model.h"

namespace carat::apps {

// The models of the store and, read-only, of other programs' caches, for a server that loads them on demand.
// A model is what `carat models` calls it; no name is ever taken for a path.
class StoreModels final : public server::ModelSource {
 public:
  // `allowed`: names, or "all". `decode_image`: for those that see.
  StoreModels(const Runtime& runtime, std::vector<std::string> allowed, server::ImageDecoder decode_image);

  // The model at that path is loaded already, and called so.
  void claim(const std::filesystem::path& path, const std::string& id);

  std::vector<server::CatalogueModel> list() override;
  Result<std::string> resolve(const std::string& name) override;
  Result<std::uint64_t> needed_bytes(const std::string& id) override;
  Result<std::shared_ptr<const server::ServedModel>> load(const std::string& id,
                                                          const std::stop_token& stop) override;

 private:
  struct Place {
    std::string id;
    std::filesystem::path path;
    std::vector<std::string> other_names = {};
  };
  // What was read of a model's headers, while its files stay as they are.
  struct Remembered {
    std::filesystem::file_time_type modified;
    std::optional<server::CatalogueModel> model;  // none: it cannot be used
  };

  std::vector<Place> places() const;
  Result<Place> place_of(const std::string& name) const;
  bool allows(const Place& place) const;
  std::optional<server::CatalogueModel> describe(const Place& place);

  const Runtime runtime_;
  const std::vector<std::string> allowed_;
  const server::ImageDecoder decode_image_;
  mutable std::mutex mutex_;  // of those below
  std::map<std::filesystem::path, std::string> claimed_;
  std::map<std::filesystem::path, Remembered> remembered_;
};

}  // namespace carat::apps
