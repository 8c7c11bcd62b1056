// What every Store promises, whatever database is behind it: another one adds a row to the instantiation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "store/test_store.h"

namespace carat::store {
namespace {

using formats::is_error;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;
using testing::ElementsAre;

constexpr const char* kAlice = "alice";
constexpr const char* kBob = "bob";

struct StoreKind {
  const char* name;
  std::function<std::unique_ptr<Store>(const std::string& folder, const WallClock& clock)> open;
};

std::unique_ptr<Store> open_small_sqlite(const std::string& folder, const WallClock& clock) {
  return must(open_sqlite_store(folder + "/carat.db", clock, system_random_bytes, {.blob_quota = 1000}));
}

class StoreContractTest : public testing::TestWithParam<StoreKind> {
 protected:
  StoreContractTest() : store_(GetParam().open(folder_.path(), clock_)) {}

  ConversationStore& conversations() { return store_->conversations(); }
  Appended new_conversation(const std::string& title = "a title", const Append& first = {}) {
    return must(conversations().create(kAlice, {.title = title}, first));
  }
  Appended new_response(const std::optional<Response>& previous = {}, std::optional<WallTime> expires = {}) {
    Append append = turn("question");
    append.messages.back().status = Status::kDone;
    append.response = NewResponse{.body = R"({"n":1})", .expires = expires};
    if (!previous)
      return must(conversations().create(kAlice, {.kind = ConversationKind::kResponses}, append));
    append.parent = previous->id;
    append.response->previous = previous->id;
    return must(conversations().append(kAlice, previous->conversation, append));
  }
  Response get_response(const Appended& appended) {
    return must(store_->responses().get(kAlice, appended.messages.back()));
  }
  BlobInfo put_blob(const OwnerId& owner, std::string_view text) {
    return must(store_->blobs().put(owner, "text/plain", std::as_bytes(std::span(text))));
  }
  Uuid unknown_id() { return UuidSource(clock_, system_random_bytes).next(); }
  void expect_unknown_message(const Uuid& id) {
    EXPECT_TRUE(is_error(conversations().message(kAlice, id), ErrorKind::kNotFound, {"no such message"}));
  }

  formats::TestFolder folder_;
  TestWallClock clock_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreContractTest, AConversationIsWhatWasAppended) {
  const WallTime begin = clock_.time;
  const Conversation empty = new_conversation("Greetings").conversation;
  EXPECT_EQ(empty.title, "Greetings");
  EXPECT_EQ(empty.version, 1);
  EXPECT_FALSE(empty.head);
  clock_.time += seconds(1);
  const Appended first = must(conversations().append(kAlice, empty.id, turn("hello")));
  ASSERT_EQ(first.messages.size(), 2U);
  EXPECT_EQ(first.conversation.head, first.messages[1]);
  EXPECT_EQ(first.conversation.version, 2);
  const Appended second = must(conversations().append(kAlice, empty.id, turn("again")));

  const Conversation now = must(conversations().conversation(kAlice, empty.id));
  EXPECT_EQ(now.head, second.messages[1]);
  EXPECT_EQ(now.version, 3);
  EXPECT_EQ(now.created, begin);
  EXPECT_EQ(now.updated, begin + seconds(1));
  const std::vector<Message> path = must(conversations().path(kAlice, *now.head));
  EXPECT_THAT(texts_of(path), ElementsAre("hello", "", "again", ""));
  for (std::size_t i = 0; i < path.size(); ++i) {
    EXPECT_EQ(path[i].depth, static_cast<std::int64_t>(i));
    EXPECT_EQ(path[i].conversation, empty.id);
    EXPECT_EQ(path[i].parent, i == 0 ? std::nullopt : std::optional(path[i - 1].id));
    EXPECT_EQ(path[i].status, i % 2 == 0 ? Status::kDone : Status::kPending);
    EXPECT_EQ(path[i].finished.has_value(), i % 2 == 0);
  }
}

TEST_P(StoreContractTest, AnAnswerKeepsEverythingThatIsKnownAboutIt) {
  const Appended made = new_conversation("", turn("why?"));
  const Uuid id = made.messages[1];
  AnswerRecord record;
  record.model_hash = sha256({});
  record.sampling = prompt::SamplingParams{
      .temperature = 0.5F, .logit_bias = {}, .seed = {}, .max_tokens = 9, .stop = {}, .logprobs = {}};
  record.seed = std::numeric_limits<std::uint64_t>::max() - 1;
  record.prompt_hash = sha256(std::as_bytes(std::span("x")));
  must(conversations().update(kAlice, id, {Status::kStreaming, {TextPart{"Be"}}, record}));
  EXPECT_EQ(must(conversations().message(kAlice, id)).status, Status::kStreaming);

  clock_.time += seconds(3);
  const AnswerRecord end{.token_ids = {0, 262'143, 2'147'483'647},
                         .prompt_tokens = 12,
                         .cached_tokens = 5,
                         .answer_tokens = 3,
                         .finish_reason = "stop",
                         .plan = R"({"version":1})"};
  const std::vector<Part> parts = {TextPart{"Because."}, ToolCallPart{"c", "f", "{}"}};
  must(conversations().update(kAlice, id, {Status::kDone, parts, end}));
  const Message done = must(conversations().message(kAlice, id));
  EXPECT_EQ(done.status, Status::kDone);
  EXPECT_EQ(done.parts, parts);
  EXPECT_EQ(done.finished, clock_.time);
  EXPECT_EQ(done.answer.model_hash, record.model_hash);
  EXPECT_EQ(done.answer.seed, record.seed);
  EXPECT_EQ(done.answer.prompt_hash, record.prompt_hash);
  ASSERT_TRUE(done.answer.sampling);
  EXPECT_EQ(done.answer.sampling->temperature, 0.5F);
  EXPECT_EQ(done.answer.sampling->max_tokens, 9U);
  EXPECT_EQ(done.answer.token_ids, end.token_ids);
  EXPECT_EQ(done.answer.prompt_tokens, 12);
  EXPECT_EQ(done.answer.answer_tokens, 3);
  EXPECT_EQ(done.answer.cached_tokens, 5);
  EXPECT_EQ(done.answer.finish_reason, "stop");
  EXPECT_EQ(done.answer.plan, R"({"version":1})");
  EXPECT_EQ(must(conversations().conversation(kAlice, made.conversation.id)).updated, clock_.time);
}

TEST_P(StoreContractTest, WhatIsFinishedStays) {
  for (const Status status : {Status::kDone, Status::kCancelled, Status::kFailed, Status::kInterrupted}) {
    const Uuid id = new_conversation("", turn("?")).messages[1];
    must(conversations().update(kAlice, id, {status, {TextPart{"end"}}}));
    EXPECT_TRUE(is_error(conversations().update(kAlice, id, {Status::kStreaming}), ErrorKind::kConflict,
                         {"already"}));
    EXPECT_EQ(text_of(must(conversations().message(kAlice, id))), "end");
    EXPECT_EQ(must(conversations().message(kAlice, id)).status, status);
  }
}

TEST_P(StoreContractTest, OneOfTwoWritersThatSawTheSameVersionIsTold) {
  const Conversation seen = new_conversation().conversation;
  Append append = turn("mine");
  append.version = seen.version;
  must(conversations().append(kAlice, seen.id, append));
  EXPECT_TRUE(
      is_error(conversations().append(kAlice, seen.id, append), ErrorKind::kConflict, {"version 1", "is 2"}));
  EXPECT_TRUE(is_error(conversations().rename(kAlice, seen.id, "new", 1), ErrorKind::kConflict, {}));
  const Conversation now = must(conversations().rename(kAlice, seen.id, "new", 2));
  EXPECT_EQ(now.version, 3);
  EXPECT_EQ(now.title, "new");
  EXPECT_EQ(must(conversations().path(kAlice, *now.head)).size(), 2U);
}

TEST_P(StoreContractTest, AMessageMayHaveSeveralChildren) {
  const Appended root = new_conversation("", {.messages = {says(Role::kUser, "root")}});
  Append left{.parent = root.messages[0], .messages = {says(Role::kAssistant, "left")}};
  Append right{.parent = root.messages[0], .messages = {says(Role::kAssistant, "right")}};
  const Uuid id = root.conversation.id;
  const Uuid left_leaf = must(conversations().append(kAlice, id, left)).messages[0];
  const Uuid right_leaf = must(conversations().append(kAlice, id, right)).messages[0];
  EXPECT_THAT(texts_of(must(conversations().path(kAlice, left_leaf))), ElementsAre("root", "left"));
  EXPECT_THAT(texts_of(must(conversations().path(kAlice, right_leaf))), ElementsAre("root", "right"));
  EXPECT_EQ(must(conversations().conversation(kAlice, id)).head, right_leaf);
}

TEST_P(StoreContractTest, AParentIsOfTheSameConversation) {
  const Appended one = new_conversation("", turn("one"));
  const Appended two = new_conversation("", turn("two"));
  const Append crossed{.parent = one.messages[1], .messages = {says(Role::kUser, "x")}};
  EXPECT_TRUE(is_error(conversations().append(kAlice, two.conversation.id, crossed), ErrorKind::kNotFound,
                       {"no such message"}));
  EXPECT_EQ(must(conversations().conversation(kAlice, two.conversation.id)).version, 2);
}

TEST_P(StoreContractTest, AnAppendThatFailsLeavesNothing) {
  const Appended made = new_conversation("", turn("one"));
  Append bad = turn("two");
  bad.messages.push_back({.role = Role::kUser, .parts = {ImagePart{sha256({}), "image/png"}}});
  EXPECT_TRUE(
      is_error(conversations().append(kAlice, made.conversation.id, bad), ErrorKind::kNotFound, {"blob"}));
  EXPECT_TRUE(is_error(conversations().create(kAlice, {}, bad), ErrorKind::kNotFound, {"blob"}));
  EXPECT_EQ(must(conversations().conversation(kAlice, made.conversation.id)).head, made.messages[1]);
  EXPECT_EQ(must(conversations().list(kAlice, 10, {})).conversations.size(), 1U);
}

TEST_P(StoreContractTest, ListsNewestFirstInPages) {
  std::vector<std::string> expected;
  for (int i = 0; i < 7; ++i) {
    clock_.time += microseconds(i % 2);  // pairs of the same time: order is by id then
    new_conversation(fmt::format("chat {}", i));
    expected.insert(expected.begin(), fmt::format("chat {}", i));
  }
  for (const std::size_t limit : {std::size_t{1}, std::size_t{3}, std::size_t{7}, std::size_t{100}}) {
    std::vector<std::string> titles;
    std::optional<ListCursor> after;
    do {
      const ConversationPage page = must(conversations().list(kAlice, limit, after));
      EXPECT_LE(page.conversations.size(), limit);
      for (const Conversation& conversation : page.conversations) titles.push_back(conversation.title);
      after = page.next;
    } while (after);
    EXPECT_EQ(titles, expected) << limit;
  }
  EXPECT_EQ(must(conversations().list(kAlice, 0, {})).conversations.size(), 1U);
}

TEST_P(StoreContractTest, ResponsesAreNoListedConversations) {
  new_response();
  EXPECT_TRUE(must(conversations().list(kAlice, 10, {})).conversations.empty());
}

TEST_P(StoreContractTest, ARemovedConversationTakesEverythingAlong) {
  const BlobInfo blob = put_blob(kAlice, "picture");
  const Appended made = new_conversation(
      "", {.messages = {{.role = Role::kUser, .parts = {ImagePart{blob.digest, "image/png"}}},
                        pending_answer()}});
  must(conversations().remove(kAlice, made.conversation.id));
  EXPECT_TRUE(is_error(conversations().conversation(kAlice, made.conversation.id), ErrorKind::kNotFound, {}));
  EXPECT_TRUE(is_error(conversations().remove(kAlice, made.conversation.id), ErrorKind::kNotFound, {}));
  for (const Uuid& id : made.messages) expect_unknown_message(id);
  EXPECT_TRUE(
      is_error(conversations().update(kAlice, made.messages[1], {Status::kDone}), ErrorKind::kNotFound, {}));
  EXPECT_TRUE(is_error(store_->blobs().get(kAlice, blob.digest), ErrorKind::kNotFound, {}));
  EXPECT_EQ(must(store_->blobs().used_bytes(kAlice)), 0);
}

TEST_P(StoreContractTest, BoundsTitlesOwnersAndDepth) {
  const std::string long_title(ConversationStore::kMostTitleBytes + 1, 'x');
  EXPECT_TRUE(
      is_error(conversations().create(kAlice, {.title = long_title}, {}), ErrorKind::kQuota, {"1025"}));
  const Conversation made = new_conversation().conversation;
  EXPECT_TRUE(is_error(conversations().rename(kAlice, made.id, long_title, {}), ErrorKind::kQuota, {}));
  for (const std::string& owner :
       {std::string(), std::string(129, 'x'), std::string("a\nb"), std::string("\xFF")}) {
    EXPECT_TRUE(is_error(conversations().create(owner, {}, {}), ErrorKind::kUsage, {"owner"}));
  }
  const std::vector<NewMessage> many(ConversationStore::kMostDepth, says(Role::kUser, "x"));
  const Appended full = must(conversations().append(kAlice, made.id, {.messages = many}));
  EXPECT_TRUE(is_error(conversations().append(kAlice, made.id, turn("more")), ErrorKind::kQuota, {"10000"}));
  EXPECT_EQ(must(conversations().path(kAlice, full.messages.back())).size(), many.size());
}

TEST_P(StoreContractTest, BlobsAreCountedPerOwner) {
  const BlobInfo blob = put_blob(kAlice, "shared bytes");
  EXPECT_EQ(put_blob(kAlice, "shared bytes").digest, blob.digest);
  EXPECT_EQ(must(store_->blobs().used_bytes(kAlice)), 12);
  put_blob(kBob, "shared bytes");
  const Append uses{.messages = {{.role = Role::kUser,
                                  .parts = {BlobPart{blob.digest, "text/plain", "a"},
                                            BlobPart{blob.digest, "text/plain", "b"}}}}};
  const Uuid one = new_conversation("", uses).conversation.id;
  const Uuid two = new_conversation("", uses).conversation.id;
  must(conversations().remove(kAlice, one));
  EXPECT_EQ(must(store_->blobs().get(kAlice, blob.digest)).data.size(), 12U);
  must(conversations().remove(kAlice, two));
  EXPECT_TRUE(is_error(store_->blobs().get(kAlice, blob.digest), ErrorKind::kNotFound, {}));
  EXPECT_EQ(must(store_->blobs().get(kBob, blob.digest)).info.media_type, "text/plain");
}

TEST_P(StoreContractTest, AnUpdateReleasesTheBlobsThatItDrops) {
  const BlobInfo old_blob = put_blob(kAlice, "old");
  const BlobInfo kept = put_blob(kAlice, "kept");
  const Uuid id = new_conversation("", turn("draw")).messages[1];
  const auto part = [](const BlobInfo& info) { return BlobPart{info.digest, "text/plain", "f"}; };
  must(conversations().update(kAlice, id, {Status::kStreaming, {part(old_blob), part(kept)}}));
  must(conversations().update(kAlice, id, {Status::kDone, {part(kept)}}));
  EXPECT_TRUE(is_error(store_->blobs().get(kAlice, old_blob.digest), ErrorKind::kNotFound, {}));
  EXPECT_EQ(must(store_->blobs().used_bytes(kAlice)), 4);
}

TEST_P(StoreContractTest, ABlobQuotaIsOfOneOwner) {
  put_blob(kAlice, std::string(600, 'a'));
  const std::string more(401, 'b');
  const auto bytes = std::as_bytes(std::span(more));
  EXPECT_TRUE(
      is_error(store_->blobs().put(kAlice, "text/plain", bytes), ErrorKind::kQuota, {"401", "600", "1000"}));
  must(store_->blobs().put(kAlice, "text/plain", bytes.first(400)));
  must(store_->blobs().put(kBob, "text/plain", bytes));
  put_blob(kAlice, std::string(600, 'a'));  // already there
  put_blob(kBob, "");
}

TEST_P(StoreContractTest, SweepsBlobsThatNoMessageWanted) {
  const BlobInfo unused = put_blob(kAlice, "unused");
  const BlobInfo used = put_blob(kAlice, "used");
  new_conversation("", {.messages = {{.parts = {BlobPart{used.digest, "text/plain", "f"}}}}});
  clock_.time += Store::kUnusedBlobLifetime - seconds(1);
  EXPECT_EQ(must(store_->sweep()).blobs, 0);
  clock_.time += seconds(1);
  EXPECT_EQ(must(store_->sweep()).blobs, 1);
  EXPECT_TRUE(is_error(store_->blobs().get(kAlice, unused.digest), ErrorKind::kNotFound, {}));
  must(store_->blobs().get(kAlice, used.digest));
}

TEST_P(StoreContractTest, ResponsesGoOnFromEachOtherAlsoInBranches) {
  const Response first = get_response(new_response());
  EXPECT_FALSE(first.previous);
  const Response second = get_response(new_response(first));
  const Response other = get_response(new_response(first));
  EXPECT_EQ(second.previous, first.id);
  EXPECT_EQ(other.conversation, first.conversation);
  EXPECT_EQ(must(conversations().path(kAlice, second.id)).size(), 4U);
  must(store_->responses().set_body(kAlice, first.id, R"({"n":2})"));
  EXPECT_EQ(must(store_->responses().get(kAlice, first.id)).body, R"({"n":2})");
  EXPECT_TRUE(is_error(
      store_->responses().set_body(kAlice, first.id, std::string(ResponseStore::kMostBodyBytes + 1, ' ')),
      ErrorKind::kQuota, {}));
}

TEST_P(StoreContractTest, ARemovedResponseLeavesWhatOthersGoOnFrom) {
  const Response first = get_response(new_response());
  const Response second = get_response(new_response(first));
  const Response other = get_response(new_response(first));
  must(store_->responses().remove(kAlice, first.id));
  EXPECT_TRUE(is_error(store_->responses().get(kAlice, first.id), ErrorKind::kNotFound, {}));
  EXPECT_TRUE(is_error(store_->responses().remove(kAlice, first.id), ErrorKind::kNotFound, {}));
  EXPECT_EQ(must(conversations().path(kAlice, second.id)).size(), 4U);
  must(store_->responses().remove(kAlice, other.id));
  expect_unknown_message(other.id);
  EXPECT_EQ(must(conversations().path(kAlice, second.id)).size(), 4U);
  must(store_->responses().remove(kAlice, second.id));
  expect_unknown_message(first.id);
  EXPECT_TRUE(is_error(conversations().conversation(kAlice, first.conversation), ErrorKind::kNotFound, {}));
}

TEST_P(StoreContractTest, AResponseOfAChatLeavesItsMessages) {
  Append append = turn("question");
  append.response = NewResponse{.body = "{}"};
  const Appended made = new_conversation("chat", append);
  must(store_->responses().remove(kAlice, made.messages[1]));
  EXPECT_EQ(must(conversations().path(kAlice, made.messages[1])).size(), 2U);
}

TEST_P(StoreContractTest, RetentionEndsToTheMicrosecond) {
  const Response gone = get_response(new_response({}, clock_.time + hours(1)));
  const Response kept = get_response(new_response());
  const Conversation chat =
      must(conversations().create(kAlice, {.expires = clock_.time + hours(1)}, {})).conversation;
  clock_.time += hours(1) - microseconds(1);
  const SweepCounts none = must(store_->sweep());
  EXPECT_EQ(none.responses + none.conversations, 0);
  must(store_->responses().get(kAlice, gone.id));
  clock_.time += microseconds(1);
  EXPECT_TRUE(is_error(store_->responses().get(kAlice, gone.id), ErrorKind::kNotFound, {}));
  EXPECT_TRUE(is_error(store_->responses().set_body(kAlice, gone.id, "{}"), ErrorKind::kNotFound, {}));
  EXPECT_TRUE(is_error(conversations().conversation(kAlice, chat.id), ErrorKind::kNotFound, {}));
  EXPECT_TRUE(must(conversations().list(kAlice, 10, {})).conversations.empty());
  const SweepCounts swept = must(store_->sweep());
  EXPECT_EQ(swept.responses, 1);
  EXPECT_EQ(swept.conversations, 1);
  expect_unknown_message(gone.id);
  must(store_->responses().get(kAlice, kept.id));
}

TEST_P(StoreContractTest, AnIdempotencyKeyStandsForOneRequest) {
  using State = IdempotencyClaim::State;
  IdempotencyStore& keys = store_->idempotency();
  const Sha256Digest request = sha256({});
  const Sha256Digest other = sha256(std::as_bytes(std::span("x")));
  EXPECT_EQ(must(keys.claim(kAlice, "k", request, hours(1))).state, State::kNew);
  EXPECT_EQ(must(keys.claim(kAlice, "k", request, hours(1))).state, State::kRunning);
  EXPECT_TRUE(is_error(keys.claim(kAlice, "k", other, hours(1)), ErrorKind::kConflict, {"other content"}));
  EXPECT_EQ(must(keys.claim(kBob, "k", other, hours(1))).state, State::kNew);
  must(keys.finish(kAlice, "k", "resp_1"));
  EXPECT_TRUE(is_error(keys.finish(kAlice, "k", "resp_2"), ErrorKind::kNotFound, {}));
  EXPECT_TRUE(is_error(keys.abandon(kAlice, "k"), ErrorKind::kNotFound, {}));
  const IdempotencyClaim done = must(keys.claim(kAlice, "k", request, hours(1)));
  EXPECT_EQ(done.state, State::kDone);
  EXPECT_EQ(done.response_id, "resp_1");
  EXPECT_TRUE(is_error(keys.claim(kAlice, "k", other, hours(1)), ErrorKind::kConflict, {}));
  must(keys.abandon(kBob, "k"));
  EXPECT_EQ(must(keys.claim(kBob, "k", request, hours(1))).state, State::kNew);
}

TEST_P(StoreContractTest, AnIdempotencyKeyExpires) {
  IdempotencyStore& keys = store_->idempotency();
  must(keys.claim(kAlice, "k", sha256({}), hours(1)));
  must(keys.finish(kAlice, "k", "resp_1"));
  clock_.time += hours(1);
  EXPECT_EQ(must(store_->sweep()).idempotency_keys, 1);
  must(keys.claim(kAlice, "k", sha256({}), hours(1)));
  clock_.time += hours(1);  // not swept, but over
  EXPECT_EQ(must(keys.claim(kAlice, "k", sha256(std::as_bytes(std::span("x"))), hours(1))).state,
            IdempotencyClaim::State::kNew);
  EXPECT_TRUE(is_error(keys.claim(kAlice, "", sha256({}), hours(1)), ErrorKind::kUsage, {"idempotency key"}));
  EXPECT_TRUE(
      is_error(keys.claim(kAlice, std::string(256, 'k'), sha256({}), hours(1)), ErrorKind::kUsage, {"256"}));
}

TEST_P(StoreContractTest, AKeyIsFoundByItsSecretUntilItIsRevoked) {
  KeyStore& keys = store_->keys();
  NewKey wanted{.name = "laptop"};
  wanted.scopes = *parse_key_scopes("inference,metrics");
  wanted.limits = {
      .requests_per_minute = 60, .concurrent_requests = 2, .tokens_per_minute = {}, .tokens_per_day = 5};
  const CreatedKey made = must(keys.add(wanted));
  EXPECT_TRUE(made.secret.starts_with("carat_"));
  EXPECT_EQ(made.secret.size(), 70U);
  EXPECT_TRUE(made.secret.starts_with(made.key.hint));
  const ApiKey found = must(keys.find(made.secret));
  EXPECT_EQ(found.id, made.key.id);
  EXPECT_EQ(found.owner, "laptop");
  EXPECT_EQ(to_text(found.scopes), "inference,metrics");
  EXPECT_EQ(found.limits.requests_per_minute, 60);
  EXPECT_EQ(found.limits.concurrent_requests, 2);
  EXPECT_FALSE(found.limits.tokens_per_minute);
  EXPECT_EQ(found.limits.tokens_per_day, 5);
  for (const std::string& wrong : {std::string(), std::string("carat_"), made.secret.substr(1),
                                   made.secret + "0", made.secret.substr(0, 69) + "g", made.key.hint}) {
    EXPECT_TRUE(is_error(keys.find(wrong), ErrorKind::kNotFound, {"no such key"}));
  }
  clock_.time += seconds(1);
  EXPECT_EQ(must(keys.revoke("laptop")).revoked, clock_.time);
  EXPECT_TRUE(is_error(keys.find(made.secret), ErrorKind::kNotFound, {"no such key"}));
  EXPECT_TRUE(is_error(keys.revoke("laptop"), ErrorKind::kNotFound, {}));
  EXPECT_TRUE(is_error(keys.record_use(made.key.id, {.requests = 1, .tokens = 1}), ErrorKind::kNotFound, {}));
  EXPECT_EQ(must(keys.list()).size(), 1U);
}

TEST_P(StoreContractTest, KeyNamesAreUniqueAmongThoseInUse) {
  KeyStore& keys = store_->keys();
  const CreatedKey first = must(keys.add({.name = "ci"}));
  EXPECT_TRUE(is_error(keys.add({.name = "ci"}), ErrorKind::kConflict, {"'ci'"}));
  must(keys.revoke(to_string(first.key.id)));
  const CreatedKey second = must(keys.add({.name = "ci", .owner = "team"}));
  EXPECT_NE(first.secret, second.secret);
  EXPECT_EQ(must(keys.find(second.secret)).owner, "team");
  EXPECT_EQ(must(keys.list()).size(), 2U);
}

TEST_P(StoreContractTest, RefusesSenselessKeys) {
  KeyStore& keys = store_->keys();
  EXPECT_TRUE(is_error(keys.add({.name = ""}), ErrorKind::kUsage, {"key name"}));
  EXPECT_TRUE(is_error(keys.add({.name = "a\x1B"}), ErrorKind::kUsage, {"control characters"}));
  EXPECT_TRUE(is_error(keys.add({.name = "a", .scopes = {0}}), ErrorKind::kUsage, {"scope"}));
  EXPECT_TRUE(is_error(keys.add({.name = "a", .scopes = {8}}), ErrorKind::kUsage, {"scope"}));
  EXPECT_TRUE(
      is_error(keys.add({.name = "a", .limits = {.requests_per_minute = 0}}), ErrorKind::kUsage, {"minute"}));
  EXPECT_TRUE(must(keys.list()).empty());
}

TEST_P(StoreContractTest, KeysInUseHaveTheirHashes) {
  KeyStore& keys = store_->keys();
  const CreatedKey first = must(keys.add({.name = "a", .limits = {.tokens_per_day = 5}}));
  const CreatedKey second = must(keys.add({.name = "b"}));
  must(keys.revoke("b"));
  const CreatedKey third = must(keys.add({.name = "b"}));
  const std::vector<KeyInUse> found = must(keys.in_use());
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].key.id, first.key.id);
  EXPECT_EQ(found[0].key.limits.tokens_per_day, 5);
  EXPECT_EQ(found[0].secret_hash, sha256(std::as_bytes(std::span(first.secret))));
  EXPECT_EQ(found[1].secret_hash, sha256(std::as_bytes(std::span(third.secret))));
  EXPECT_NE(found[1].key.id, second.key.id);
}

TEST_P(StoreContractTest, CountsTheUseOfAKeyByTheDay) {
  KeyStore& keys = store_->keys();
  const Uuid id = must(keys.add({.name = "a"})).key.id;
  must(keys.record_use(id, {.requests = 1, .tokens = 100}));
  const DayUsage same_day = must(keys.record_use(id, {.requests = 2, .tokens = 50}));
  EXPECT_EQ(same_day.usage.requests, 3);
  EXPECT_EQ(same_day.usage.tokens, 150);
  EXPECT_EQ(must(keys.usage(id)).usage.tokens, 150);
  EXPECT_EQ(must(keys.in_use()).at(0).today.usage.requests, 3);
  clock_.time += hours(24);
  EXPECT_EQ(must(keys.usage(id)).day, same_day.day + 1);
  EXPECT_EQ(must(keys.usage(id)).usage.tokens, 0);
  EXPECT_EQ(must(keys.record_use(id, {.requests = 1, .tokens = 7})).usage.tokens, 7);
  EXPECT_EQ(must(keys.list()).at(0).last_used, clock_.time);
}

// Every call that takes an owner, with ids that are somebody else's: the same words as for ids that nobody
// has.
TEST_P(StoreContractTest, SomebodyElsesIdsAreUnknownIds) {
  const BlobInfo blob = put_blob(kAlice, "secret");
  const Appended chat = new_conversation("chat", turn("secret"));
  const Response response = get_response(new_response());
  must(store_->idempotency().claim(kAlice, "key", sha256({}), hours(1)));
  struct Ids {
    OwnerId owner;
    Uuid conversation;
    Uuid message;
    Uuid response;
    Sha256Digest blob;
    std::string key;
  };
  const Ids others{kBob, chat.conversation.id, chat.messages[1], response.id, blob.digest, "key"};
  const Ids unknown{kAlice, unknown_id(), unknown_id(), unknown_id(), sha256({}), "other key"};
  const Uuid bobs = must(conversations().create(kBob, {}, {})).conversation.id;
  const auto error_of = [](const auto& result) { return result ? Error{} : result.error(); };
  const std::pair<const char*, std::function<Error(const Ids&)>> calls[] = {
      {"append",
       [&](const Ids& ids) {
         return error_of(conversations().append(ids.owner, ids.conversation, turn("x")));
       }},
      {"append to a parent",
       [&](const Ids& ids) {
         const Append below{.parent = ids.message, .messages = {says(Role::kUser, "x")}};
         const bool is_bob = ids.owner == kBob;
         return error_of(conversations().append(ids.owner, is_bob ? bobs : chat.conversation.id, below));
       }},
      {"update",
       [&](const Ids& ids) {
         return error_of(conversations().update(ids.owner, ids.message, {Status::kDone}));
       }},
      {"conversation",
       [&](const Ids& ids) { return error_of(conversations().conversation(ids.owner, ids.conversation)); }},
      {"message", [&](const Ids& ids) { return error_of(conversations().message(ids.owner, ids.message)); }},
      {"path", [&](const Ids& ids) { return error_of(conversations().path(ids.owner, ids.message)); }},
      {"rename",
       [&](const Ids& ids) {
         return error_of(conversations().rename(ids.owner, ids.conversation, "x", {}));
       }},
      {"remove",
       [&](const Ids& ids) { return error_of(conversations().remove(ids.owner, ids.conversation)); }},
      {"use a blob",
       [&](const Ids& ids) {
         const Append uses{.messages = {{.parts = {BlobPart{ids.blob, "text/plain", "f"}}}}};
         return error_of(conversations().create(ids.owner, {}, uses));
       }},
      {"get a blob", [&](const Ids& ids) { return error_of(store_->blobs().get(ids.owner, ids.blob)); }},
      {"get a response",
       [&](const Ids& ids) { return error_of(store_->responses().get(ids.owner, ids.response)); }},
      {"set a body",
       [&](const Ids& ids) { return error_of(store_->responses().set_body(ids.owner, ids.response, "x")); }},
      {"remove a response",
       [&](const Ids& ids) { return error_of(store_->responses().remove(ids.owner, ids.response)); }},
      {"finish a key",
       [&](const Ids& ids) { return error_of(store_->idempotency().finish(ids.owner, ids.key, "r")); }},
      {"abandon a key",
       [&](const Ids& ids) { return error_of(store_->idempotency().abandon(ids.owner, ids.key)); }},
  };
  for (const auto& [name, call] : calls) {
    const Error theirs = call(others);
    const Error nobodys = call(unknown);
    EXPECT_EQ(theirs.kind, ErrorKind::kNotFound) << name;
    EXPECT_EQ(theirs.message, nobodys.message) << name;
  }
  EXPECT_EQ(must(conversations().list(kBob, 10, {})).conversations.size(), 1U);
  EXPECT_EQ(must(store_->blobs().used_bytes(kBob)), 0);
  EXPECT_EQ(must(conversations().conversation(kAlice, chat.conversation.id)).version, 2);
  EXPECT_EQ(must(conversations().message(kAlice, chat.messages[1])).status, Status::kPending);
  EXPECT_EQ(must(store_->responses().get(kAlice, response.id)).body, R"({"n":1})");
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContractTest, testing::Values(StoreKind{"sqlite", open_small_sqlite}),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST(KeyScopesTest, AdminMayDoEverythingAndNothingElseDoes) {
  using enum KeyScope;
  const KeyScopes admin = *parse_key_scopes("admin");
  EXPECT_TRUE(admin.has(kInference) && admin.has(kMetrics) && admin.has(kAdmin));
  const KeyScopes metrics = *parse_key_scopes("metrics");
  EXPECT_TRUE(metrics.has(kMetrics));
  EXPECT_FALSE(metrics.has(kInference) || metrics.has(kAdmin));
  EXPECT_EQ(to_text(*parse_key_scopes("admin,inference")), "inference,admin");
  for (const char* bad : {"", ",", "root", "admin,", ",admin", "admin,admin", "Admin", "admin metrics"}) {
    EXPECT_FALSE(parse_key_scopes(bad)) << bad;
  }
}

}  // namespace
}  // namespace carat::store
