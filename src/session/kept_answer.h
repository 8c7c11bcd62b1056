#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"
#include "base/uuid.h"
#include "base/wall_clock.h"
#include "engine/generation.h"
#include "store/store_thread.h"

namespace carat::session {

// Files that messages refer to.
using Blobs = std::map<Sha256Digest, std::vector<std::byte>>;

// What is kept of one turn before its answer begins.
struct TurnToKeep {
  store::OwnerId owner;
  std::optional<Uuid> conversation = {};  // none: a new one
  store::NewConversation kind = {};       // of a new one
  std::optional<Uuid> parent = {};        // the message that the turn goes on from; none: the newest, if any
  std::vector<store::NewMessage> messages = {};
  Blobs blobs = {};                 // that the messages' parts refer to
  store::AnswerRecord answer = {};  // what is known before
  std::optional<store::NewResponse> response = {};
};

// An answer that is kept while it is written: its message is there before the first token, gains what there
// is every few tokens, and ends as done, cancelled, failed or, where the process ends before, interrupted.
// Any thread may call it; only begin() waits for the store, which must outlive every answer's end.
class KeptAnswer : public std::enable_shared_from_this<KeptAnswer> {
 public:
  static constexpr std::size_t kTokensBetweenWrites = 16;

  // Errors are those of the store.
  static Result<std::shared_ptr<KeptAnswer>> begin(store::StoreThread& store, TurnToKeep turn);

  const Uuid& conversation() const { return conversation_; }
  const Uuid& id() const { return messages_.back(); }  // of the answer's message
  const std::vector<Uuid>& messages() const { return messages_; }
  WallTime created() const { return created_; }

  void on_event(const engine::Event& event);

  // The end of the generation; `done` gets, on the store's thread or at once, whether the answer is kept. One
  // that somebody deleted meanwhile counts as kept.
  void finish(const Result<engine::GenerationResult>& result, std::function<void(const Result<>&)> done);

  // Instead of finish(), where nothing was begun after all: a response and its messages go again.
  void discard();

 private:
  KeptAnswer(store::StoreThread& store, store::OwnerId owner, const store::Appended& appended);

  bool note(const engine::Event& event);  // under the lock; whether it is time to write
  void write();
  store::MessageUpdate update(store::Status status) const;  // under the lock

  store::StoreThread& store_;
  const store::OwnerId owner_;
  const Uuid conversation_;
  const std::vector<Uuid> messages_;
  const WallTime created_;

  std::mutex mutex_;  // of everything below
  std::string text_;
  std::vector<TokenId> ids_;
  std::size_t bytes_ = 0;  // that the ids spell
  std::optional<std::int64_t> prompt_tokens_;
  std::optional<std::int64_t> cached_tokens_;
  std::size_t unwritten_ = 0;  // tokens since the last write
  bool is_writing_ = false;
  bool is_over_ = false;
};

// The status under which an answer that ended so is kept.
store::Status status_of(const Result<engine::GenerationResult>& result);

// "stop", "length", "deadline" or "cancelled".
std::string finish_reason_of(const engine::GenerationResult& result);

}  // namespace carat::session
