#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/served_model.h"

namespace carat::server {

// A model that can be served, by its files' headers.
struct CatalogueModel {
  std::string id;
  ModelFacts facts = {};
  std::size_t context_length = 0;
  bool images = false;
  bool instruction_tuned = false;
};

// Where models come from on demand. All members may be called from any thread but the I/O ones, and wait for
// the disk. No message of an Error has a path in it, as those of kNotFound and kDoesNotFit reach clients.
class ModelSource {
 public:
  virtual ~ModelSource() = default;

  // All that may be served, sorted by id.
  virtual std::vector<CatalogueModel> list() = 0;

  // The id of the model that `name` means. kNotFound where it means none, or one that may not be served.
  virtual Result<std::string> resolve(const std::string& name) = 0;

  // Bytes of memory that a process needs at most for it, from its headers.
  virtual Result<std::uint64_t> needed_bytes(const std::string& id) = 0;

  // kInterrupted after a stop, kDoesNotFit where there is no memory for it now.
  virtual Result<std::shared_ptr<const ServedModel>> load(const std::string& id,
                                                          const std::stop_token& stop) = 0;
};

}  // namespace carat::server
