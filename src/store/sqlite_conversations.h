#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/conversation_store.h"
#include "store/sqlite_context.h"

namespace carat::store {

class SqliteConversations final : public ConversationStore {
 public:
  explicit SqliteConversations(const SqliteContext& context) : context_(context), db_(context.database) {}

  Result<Appended> create(const OwnerId& owner, const NewConversation& conversation,
                          const Append& first) override;
  Result<Appended> append(const OwnerId& owner, const Uuid& conversation, const Append& append) override;
  Result<> update(const OwnerId& owner, const Uuid& message, const MessageUpdate& update) override;
  Result<Conversation> conversation(const OwnerId& owner, const Uuid& conversation) override;
  Result<Message> message(const OwnerId& owner, const Uuid& message) override;
  Result<std::vector<Message>> path(const OwnerId& owner, const Uuid& message) override;
  Result<ConversationPage> list(const OwnerId& owner, std::size_t limit,
                                const std::optional<ListCursor>& after) override;
  Result<Conversation> rename(const OwnerId& owner, const Uuid& conversation, const std::string& title,
                              std::optional<std::int64_t> version) override;
  Result<> remove(const OwnerId& owner, const Uuid& conversation) override;

 private:
  // These run inside the caller's transaction.
  Result<Appended> append_to(const OwnerId& owner, Conversation conversation, const Append& append);
  Result<std::int64_t> depth_below(const OwnerId& owner, const Conversation& conversation,
                                   const std::optional<Uuid>& parent);
  Result<> insert_message(const OwnerId& owner, const Message& message);
  Result<> insert_response(const OwnerId& owner, const Uuid& message, const NewResponse& response);
  Result<> link_blobs(const OwnerId& owner, const Uuid& message, const std::vector<Part>& parts);

  SqliteContext context_;
  Database& db_;
};

}  // namespace carat::store
