#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"
#include "base/token_id.h"
#include "base/uuid.h"
#include "base/wall_clock.h"
#include "prompt/sampling_params.h"
#include "store/parts.h"

namespace carat::store {

// Who a row belongs to: 1 to 128 bytes, no control characters. Somebody else's row is never found.
using OwnerId = std::string;

// Who uses the terminal, or a server without keys.
inline constexpr std::string_view kLocalOwner = "local";

enum class Role { kSystem, kUser, kAssistant, kTool };
enum class Status {
  kPending,      // waits for the model
  kStreaming,    // is being written
  kDone,         // complete
  kCancelled,    // somebody stopped it
  kInterrupted,  // the process that wrote it ended
  kFailed,       // an error ended it
};
enum class ConversationKind {
  kChat,       // has a list, a title, and stays until it is deleted
  kResponses,  // holds the responses of an API client, and lives as long as they do
};

bool is_finished(Status status);

struct Conversation {
  Uuid id;
  ConversationKind kind = ConversationKind::kChat;
  std::string title;
  std::optional<Uuid> head;  // the newest message of the branch that is shown
  std::int64_t version = 1;  // grows with every append and rename
  WallTime created;
  WallTime updated;
  std::optional<WallTime> expires;
};

// How an answer came about: what it takes to make it again.
struct AnswerRecord {
  std::optional<Sha256Digest> model_hash = {};
  std::optional<prompt::SamplingParams> sampling = {};  // its seed field is not kept: see below
  std::optional<std::uint64_t> seed = {};               // the one used, also when it was drawn at random
  std::optional<Sha256Digest> prompt_hash = {};         // of the rendered prompt
  std::vector<TokenId> token_ids = {};                  // as generated
  std::optional<std::int64_t> prompt_tokens = {};
  std::optional<std::int64_t> cached_tokens = {};  // of the prompt's, found in the KV cache
  std::optional<std::int64_t> answer_tokens = {};
  std::string finish_reason = {};  // "stop", "length", ...; empty: none yet
  std::string plan = {};           // JSON: what the model was sent (chat/context_plan.h); empty: not known
};

// A node of a conversation's tree.
struct Message {
  Uuid id;
  Uuid conversation;
  std::optional<Uuid> parent;  // none: the first
  std::int64_t depth = 0;      // how many ancestors it has
  Role role = Role::kUser;
  Status status = Status::kDone;
  std::vector<Part> parts;
  AnswerRecord answer;
  WallTime created;
  std::optional<WallTime> finished;
};

struct NewMessage {
  Role role = Role::kUser;
  Status status = Status::kDone;
  std::vector<Part> parts = {};
  AnswerRecord answer = {};
};

// Makes the last message of an append a response of the API, under that message's id.
struct NewResponse {
  std::optional<Uuid> previous = {};  // the response it goes on from
  std::string body = {};              // JSON that the server wants back, at most 16 MiB
  std::optional<WallTime> expires = {};
};

// Messages in a row, each the child of the one before; the last becomes the head.
struct Append {
  std::optional<Uuid> parent = {};           // of the first; none: the head
  std::optional<std::int64_t> version = {};  // kConflict when the conversation has another one by now
  std::vector<NewMessage> messages = {};
  std::optional<NewResponse> response = {};
};

struct NewConversation {
  ConversationKind kind = ConversationKind::kChat;
  std::string title = {};
  std::optional<WallTime> expires = {};
};

struct Appended {
  Conversation conversation;   // as it is now
  std::vector<Uuid> messages;  // ids, in order
};

// Replaces the parts of a message that is pending or streaming. Fields of `answer` that are not given stay as
// they are.
struct MessageUpdate {
  Status status = Status::kStreaming;
  std::vector<Part> parts = {};
  AnswerRecord answer = {};
};

// Where a page of a list ended.
struct ListCursor {
  WallTime updated;
  Uuid id;
};

struct ConversationPage {
  std::vector<Conversation> conversations;
  std::optional<ListCursor> next;  // none: this was the last page
};

// Trees of messages. Every call is all or nothing. An id that is unknown and one of somebody else give the
// same kNotFound; kQuota: longer or more than is stored; kDiskFull, kBusy and kFailed come from the database.
class ConversationStore {
 public:
  static constexpr std::size_t kMostTitleBytes = 1024;
  static constexpr std::size_t kMostPage = 200;
  static constexpr std::int64_t kMostDepth = 10'000;  // messages from the root to a leaf

  virtual ~ConversationStore() = default;

  // A conversation with what `first` appends, which may be nothing.
  virtual Result<Appended> create(const OwnerId& owner, const NewConversation& conversation,
                                  const Append& first) = 0;
  virtual Result<Appended> append(const OwnerId& owner, const Uuid& conversation, const Append& append) = 0;

  // kConflict when the message is finished already: what is done stays as it is.
  virtual Result<> update(const OwnerId& owner, const Uuid& message, const MessageUpdate& update) = 0;

  virtual Result<Conversation> conversation(const OwnerId& owner, const Uuid& conversation) = 0;
  virtual Result<Message> message(const OwnerId& owner, const Uuid& message) = 0;

  // From the conversation's first message to this one.
  virtual Result<std::vector<Message>> path(const OwnerId& owner, const Uuid& message) = 0;

  // Conversations of kind chat, the one that changed last first. limit: 1 to kMostPage, clamped.
  virtual Result<ConversationPage> list(const OwnerId& owner, std::size_t limit,
                                        const std::optional<ListCursor>& after) = 0;

  virtual Result<Conversation> rename(const OwnerId& owner, const Uuid& conversation,
                                      const std::string& title, std::optional<std::int64_t> version) = 0;

  // With its messages and responses, and the blobs that nothing else of the owner uses.
  virtual Result<> remove(const OwnerId& owner, const Uuid& conversation) = 0;
};

}  // namespace carat::store
