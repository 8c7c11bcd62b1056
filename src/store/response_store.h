#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/uuid.h"
#include "store/conversation_store.h"

namespace carat::store {

struct Response {
  Uuid id;  // of the message that is its answer
  Uuid conversation;
  std::optional<Uuid> previous;
  std::string body;
  Status status = Status::kDone;  // the message's
  WallTime created;
  std::optional<WallTime> expires;
};

// Stored responses of the API: each is a message of a conversation's tree (Append::response makes it one), so
// what it goes on from is ConversationStore::path(id). Expired ones are gone at once, swept or not.
class ResponseStore {
 public:
  static constexpr std::size_t kMostBodyBytes = std::size_t{16} << 20;

  virtual ~ResponseStore() = default;

  virtual Result<Response> get(const OwnerId& owner, const Uuid& id) = 0;
  virtual Result<> set_body(const OwnerId& owner, const Uuid& id, const std::string& body) = 0;

  // In a conversation of kind responses the messages that no other response goes on from are deleted with it,
  // and the conversation with its last one.
  virtual Result<> remove(const OwnerId& owner, const Uuid& id) = 0;
};

}  // namespace carat::store
