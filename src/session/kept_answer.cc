#include "session/kept_answer.h"

#include <utility>
#include <variant>

namespace carat::session {
namespace {

using engine::FinishReason;
using store::Status;
using store::Store;

Result<store::Appended> append(Store& store, TurnToKeep& turn) {
  for (const auto& [digest, bytes] : turn.blobs)
    CARAT_TRY_VOID(store.blobs().put(turn.owner, "application/octet-stream", bytes));
  store::Append added{.parent = turn.parent, .messages = std::move(turn.messages), .response = turn.response};
  added.messages.push_back(
      {.role = store::Role::kAssistant, .status = Status::kPending, .answer = std::move(turn.answer)});
  if (turn.conversation) return store.conversations().append(turn.owner, *turn.conversation, added);
  return store.conversations().create(turn.owner, turn.kind, added);
}

std::vector<store::Part> parts_of(const std::string& text) {
  if (text.empty()) return {};
  return {store::TextPart{text}};
}

std::int64_t to_signed(std::size_t count) { return static_cast<std::int64_t>(count); }

}  // namespace

Status status_of(const Result<engine::GenerationResult>& result) {
  if (result) return result->finish == FinishReason::kInterrupted ? Status::kCancelled : Status::kDone;
  return result.error().kind == ErrorKind::kInterrupted ? Status::kInterrupted : Status::kFailed;
}

std::string finish_reason_of(const engine::GenerationResult& result) {
  switch (result.finish) {
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kDeadline: return "deadline";
    case FinishReason::kInterrupted: return "cancelled";
  }
  return {};
}

KeptAnswer::KeptAnswer(store::StoreThread& store, store::OwnerId owner, const store::Appended& appended)
    : store_(store),
      owner_(std::move(owner)),
      conversation_(appended.conversation.id),
      messages_(appended.messages),
      created_(appended.conversation.updated) {}

Result<std::shared_ptr<KeptAnswer>> KeptAnswer::begin(store::StoreThread& store, TurnToKeep turn) {
  store::OwnerId owner = turn.owner;
  const auto kept = std::make_shared<TurnToKeep>(std::move(turn));
  CARAT_TRY(const store::Appended appended,
            store.submit([kept](Store& it) { return append(it, *kept); }).get());
  return std::shared_ptr<KeptAnswer>(new KeptAnswer(store, std::move(owner), appended));
}

void KeptAnswer::on_event(const engine::Event& event) {
  {
    const std::scoped_lock lock(mutex_);
    if (!note(event) || is_writing_ || is_over_) return;
    is_writing_ = true;
    unwritten_ = 0;
  }
  write();
}

bool KeptAnswer::note(const engine::Event& event) {
  if (const auto* admitted = std::get_if<engine::Admitted>(&event)) {
    prompt_tokens_ = to_signed(admitted->prompt_tokens);
    cached_tokens_ = to_signed(admitted->cached_tokens);
    return true;
  }
  if (const auto* token = std::get_if<engine::TokenEvent>(&event)) {
    text_ += token->text;
    ids_.push_back(token->token);
    bytes_ += token->bytes.size();
    return ++unwritten_ >= kTokensBetweenWrites;
  }
  if (const auto* rest = std::get_if<engine::TrailingText>(&event)) text_ += rest->text;
  return false;
}

// One write at a time, of whatever there is when its turn comes. Should it fail, so will the last one, which
// tells.
void KeptAnswer::write() {
  store_.post(
      [self = shared_from_this()](Store& store) {
        store::MessageUpdate now;
        {
          const std::scoped_lock lock(self->mutex_);
          now = self->update(Status::kStreaming);
        }
        return store.conversations().update(self->owner_, self->id(), now);
      },
      [self = shared_from_this()](const Result<>&) {
        const std::scoped_lock lock(self->mutex_);
        self->is_writing_ = false;
      });
}

store::MessageUpdate KeptAnswer::update(Status status) const {
  store::MessageUpdate now{.status = status, .parts = parts_of(text_)};
  now.answer.prompt_tokens = prompt_tokens_;
  now.answer.cached_tokens = cached_tokens_;
  // Ids that spell more than was shown would say something else when the conversation goes on.
  if (bytes_ == text_.size()) now.answer.token_ids = ids_;
  return now;
}

void KeptAnswer::finish(const Result<engine::GenerationResult>& result,
                        std::function<void(const Result<>&)> done) {
  store::MessageUpdate last;
  {
    const std::scoped_lock lock(mutex_);
    is_over_ = true;
    last = update(status_of(result));
  }
  if (result) {
    last.parts = parts_of(result->text);
    last.answer.token_ids = result->ids;
    last.answer.seed = result->seed;
    last.answer.prompt_tokens = to_signed(result->usage.prompt_tokens);
    last.answer.cached_tokens = to_signed(result->usage.cached_tokens);
    last.answer.answer_tokens = to_signed(result->usage.generated_tokens);
    last.answer.finish_reason = finish_reason_of(*result);
  }
  store_.post(
      [self = shared_from_this(), last = std::move(last)](Store& store) {
        Result<> written = store.conversations().update(self->owner_, self->id(), last);
        if (!written && written.error().kind == ErrorKind::kNotFound) return Result<>();
        return written;
      },
      std::move(done));
}

void KeptAnswer::discard() {
  {
    const std::scoped_lock lock(mutex_);
    is_over_ = true;
  }
  store_.post([self = shared_from_this()](
                  Store& store) { return store.responses().remove(self->owner_, self->id()); },
              [](const Result<>&) {});
}

}  // namespace carat::session
