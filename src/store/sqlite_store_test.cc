// What is SQLite's own: files, versions, damage, full disks, several processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "base/counter_rng.h"
#include "store/migrations.h"
#include "store/test_store.h"

namespace carat::store {
namespace {

using formats::file_bytes;
using formats::is_error;
using formats::TestFolder;
using testing::HasSubstr;

constexpr const char* kAlice = "alice";

Result<std::unique_ptr<Store>> try_open(const std::string& path) {
  static const TestWallClock clock;
  return open_sqlite_store(path, clock);
}

mode_t mode_of(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777;
}

TEST(SqliteStoreFileTest, IsPrivateInAFolderThatIsMade) {
  const TestFolder folder;
  const std::string path = folder.path("data/carat/carat.db");
  const auto store = must(try_open(path));
  must(store->conversations().create(kAlice, {}, {}));
  EXPECT_EQ(mode_of(folder.path("data/carat")), 0700U);
  for (const char* suffix : {"", "-wal", "-shm", ".writers"})
    EXPECT_EQ(mode_of(path + suffix), 0600U) << suffix;
}

TEST(SqliteStoreFileTest, AccessOfOthersIsTakenAway) {
  const TestFolder folder;
  const std::string path = folder.path("carat.db");
  must(try_open(path));
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  must(try_open(path));
  EXPECT_EQ(mode_of(path), 0600U);
}

TEST(SqliteStoreFileTest, RefusesPlacesThatOthersCouldExchange) {
  const TestFolder folder;
  std::filesystem::create_symlink("elsewhere.db", folder.path("link.db"));
  EXPECT_TRUE(is_error(try_open(folder.path("link.db")), ErrorKind::kFailed, {"link.db", "link"}));
  EXPECT_FALSE(std::filesystem::exists(folder.path("elsewhere.db")));
  std::filesystem::create_directory(folder.path("folder.db"));
  EXPECT_TRUE(is_error(try_open(folder.path("folder.db")), ErrorKind::kFailed, {"no file"}));
  std::filesystem::create_directory(folder.path("open"));
  ASSERT_EQ(::chmod(folder.path("open").c_str(), 0777), 0);
  EXPECT_TRUE(is_error(try_open(folder.path("open/carat.db")), ErrorKind::kFailed, {"everybody"}));
  folder.write("file", "x");
  EXPECT_FALSE(try_open(folder.path("file/carat.db")));
}

void expect_refused_and_untouched(const std::string& path, const std::string& words) {
  const auto before = file_bytes(path);
  EXPECT_TRUE(is_error(try_open(path), ErrorKind::kFailed, {"carat.db", words}));
  EXPECT_EQ(file_bytes(path), before);
}

TEST(SqliteStoreFileTest, RefusesWhatIsNoDatabase) {
  const TestFolder folder;
  for (const std::string& text : {std::string("x"), std::string(99, 'x'), std::string(10'000, 'x'),
                                  "SQLite format 3" + std::string(8000, '\0')}) {
    expect_refused_and_untouched(folder.write("carat.db", text), "carat.db");
  }
}

TEST(SqliteStoreFileTest, RefusesTheDatabaseOfAnotherProgram) {
  const TestFolder folder;
  const std::string path = folder.path("carat.db");
  must(must(Database::open(path))
           ->script("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine')"));
  expect_refused_and_untouched(path, "another program");
}

TEST(SqliteStoreFileTest, RefusesTheDatabaseOfANewerCarat) {
  const TestFolder folder;
  const std::string path = folder.path("carat.db");
  must(try_open(path));
  must(must(Database::open(path))->script(fmt::format("PRAGMA user_version = {}", migrations().size() + 1)));
  expect_refused_and_untouched(path, "a newer Carat");
}

// Every page but the first, damaged one after the other: an error or an answer, never a crash.
TEST(SqliteStoreFileTest, SurvivesDamageAnywhere) {
  const TestFolder folder;
  const std::string path = folder.path("carat.db");
  Appended made;
  {
    const auto store = must(try_open(path));
    made = must(store->conversations().create(kAlice, {.title = "t"}, turn(std::string(9000, 'x'))));
  }
  const auto whole = file_bytes(path);
  std::size_t errors = 0;
  for (std::size_t page = 4096; page < whole.size(); page += 4096) {
    auto bytes = whole;
    for (std::size_t i = 0; i < 4096; ++i)
      bytes[page + i] = static_cast<std::byte>(255 * uniform_draw(page, i));
    folder.write("carat.db", bytes);
    const auto store = try_open(path);
    if (!store) {
      ++errors;
      continue;
    }
    const auto messages = (*store)->conversations().path(kAlice, made.messages[1]);
    const auto list = (*store)->conversations().list(kAlice, 10, {});
    const auto appended = (*store)->conversations().append(kAlice, made.conversation.id, turn("y"));
    if (!messages || !list || !appended) ++errors;
  }
  EXPECT_GT(errors, 0U);
}

// Rows that our own code never writes, as a hostile file would have them.
TEST(SqliteStoreFileTest, ReadsHostileRowsAsErrors) {
  const char* changes[] = {
      "parts = '[{\"type\":\"secret\"}]'",
      "parts = 'secret'",
      "token_ids = x'0102'",
      "token_ids = x'FFFFFFFF'",
      "model_hash = x'00'",
      "sampling = '{}'",
      "prompt_hash = x''",
      "depth = 7",
      "depth = -1",
  };
  for (const char* change : changes) {
    TestStore store;
    const Appended made = must(store->conversations().create(kAlice, {}, turn("x")));
    store.close();
    must(must(Database::open(store.path()))->script(fmt::format("UPDATE messages SET {}", change)));
    store.open();
    const auto path = store->conversations().path(kAlice, made.messages[1]);
    EXPECT_TRUE(is_error(path, ErrorKind::kFailed, {"carat.db", "damaged"})) << change;
    if (path) continue;
    EXPECT_THAT(path.error().message, testing::Not(HasSubstr("secret")));
  }
}

TEST(SqliteStoreFileTest, EndsCirclesAmongMessages) {
  TestStore store;
  const Appended made = must(store->conversations().create(kAlice, {}, turn("x")));
  store.close();
  must(must(Database::open(store.path()))
           ->change("UPDATE messages SET parent_id = ?1 WHERE parent_id IS NULL", made.messages[1]));
  store.open();
  EXPECT_TRUE(
      is_error(store->conversations().path(kAlice, made.messages[1]), ErrorKind::kFailed, {"damaged"}));
}

std::vector<std::string> schema_of(Database& database) {
  std::vector<std::string> lines;
  Query query = database.query("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name");
  while (must(query.next())) lines.push_back(query.text(0));
  return lines;
}

TEST(MigrationsTest, EachEarlierVersionBecomesThisOneWithItsRows) {
  const TestFolder folder;
  const auto fresh = must(Database::open(folder.path("fresh.db")));
  must(migrate(*fresh));
  for (std::size_t version = 0; version <= migrations().size(); ++version) {
    const std::string path = folder.path(fmt::format("from{}.db", version));
    const Uuid id = *parse_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    {
      const auto database = must(Database::open(path));
      must(migrate(*database, migrations().first(version)));
      if (version > 0) {
        must(database->change(
            "INSERT INTO conversations (id, owner_id, kind, title, version, created_us, updated_us) "
            "VALUES (?1, 'alice', 'chat', 'old', 1, 0, 0)",
            id));
      }
    }
    const auto store = must(try_open(path));
    EXPECT_EQ(store->conversations().conversation(kAlice, id).has_value(), version > 0);
    must(store->keys().add({.name = "k"}));
    const auto database = must(Database::open(path));
    EXPECT_EQ(must(database->number("PRAGMA user_version")), static_cast<std::int64_t>(migrations().size()));
    EXPECT_EQ(schema_of(*database), schema_of(*fresh));
  }
}

TEST(MigrationsTest, AStepThatFailsLeavesTheVersionBefore) {
  const TestFolder folder;
  const auto database = must(Database::open(folder.path("carat.db")));
  const std::string_view steps[] = {"CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"};
  EXPECT_FALSE(migrate(*database, steps));
  EXPECT_EQ(must(database->number("PRAGMA user_version")), 1);
  EXPECT_EQ(must(database->number("SELECT count(*) FROM sqlite_schema")), 1);
}

TEST(SqliteStoreTest, AFullDiskIsSaidAndLosesNothing) {
  TestStore store({.database = {.most_pages = 60}});
  const Conversation chat = must(store->conversations().create(kAlice, {}, {})).conversation;
  std::vector<std::string> written;
  Result<Appended> appended;
  for (int i = 0; i < 1000; ++i) {
    const std::string text = fmt::format("{} {}", i, std::string(3000, 'x'));
    appended = store->conversations().append(kAlice, chat.id, {.messages = {says(Role::kUser, text)}});
    if (!appended) break;
    written.push_back(text);
  }
  ASSERT_TRUE(is_error(appended, ErrorKind::kDiskFull, {"carat.db", "no space left"}));
  EXPECT_FALSE(written.empty());
  store.close();
  store.open();
  const Conversation now = must(store->conversations().conversation(kAlice, chat.id));
  EXPECT_EQ(texts_of(must(store->conversations().path(kAlice, *now.head))), written);
  must(store->conversations().remove(kAlice, chat.id));
  must(store->conversations().create(kAlice, {}, turn(std::string(3000, 'y'))));
}

TEST(SqliteStoreTest, ADiskTooFullForTheSchemaIsSaidToo) {
  const TestFolder folder;
  const TestWallClock clock;
  const std::string path = folder.path("carat.db");
  const auto store = open_sqlite_store(path, clock, system_random_bytes, {.database = {.most_pages = 10}});
  EXPECT_TRUE(is_error(store, ErrorKind::kDiskFull, {"no space left"}));
  must(must(try_open(path))->conversations().create(kAlice, {}, {}));
}

TEST(SqliteStoreTest, ALockOfAnotherProgramIsSaid) {
  TestStore store({.database = {.busy_wait = std::chrono::milliseconds(0)}});
  const auto other = must(Database::open(store.path()));
  Transaction held = *Transaction::begin(*other);
  EXPECT_TRUE(is_error(store->conversations().create(kAlice, {}, {}), ErrorKind::kBusy, {"another program"}));
  must(held.commit());
  must(store->conversations().create(kAlice, {}, {}));
}

TEST(SqliteStoreTest, WhatAProcessLeftUnfinishedIsInterrupted) {
  TestStore store;
  const Appended made = must(store->conversations().create(kAlice, {}, turn("x")));
  const Appended streaming = must(store->conversations().create(kAlice, {}, turn("y")));
  must(store->conversations().update(kAlice, streaming.messages[1],
                                     {Status::kStreaming, {TextPart{"so far"}}}));
  must(store->idempotency().claim(kAlice, "k", sha256({}), std::chrono::hours(1)));
  store.close();
  store.clock.time += std::chrono::seconds(5);
  store.open();
  EXPECT_EQ(must(store->conversations().message(kAlice, made.messages[0])).status, Status::kDone);
  EXPECT_EQ(must(store->conversations().message(kAlice, made.messages[1])).status, Status::kInterrupted);
  const Message cut = must(store->conversations().message(kAlice, streaming.messages[1]));
  EXPECT_EQ(cut.status, Status::kInterrupted);
  EXPECT_EQ(text_of(cut), "so far");
  EXPECT_EQ(cut.finished, store.clock.time);
  EXPECT_EQ(must(store->idempotency().claim(kAlice, "k", sha256({}), std::chrono::hours(1))).state,
            IdempotencyClaim::State::kNew);
}

TEST(SqliteStoreTest, WhatALivingProcessWritesIsLeftAlone) {
  TestStore store;
  const Uuid id = must(store->conversations().create(kAlice, {}, turn("x"))).messages[1];
  must(store->idempotency().claim(kAlice, "k", sha256({}), std::chrono::hours(1)));
  const auto other = store.another();
  EXPECT_EQ(must(other->conversations().message(kAlice, id)).status, Status::kPending);
  EXPECT_EQ(must(other->idempotency().claim(kAlice, "k", sha256({}), std::chrono::hours(1))).state,
            IdempotencyClaim::State::kRunning);
  must(store->conversations().update(kAlice, id, {Status::kDone}));
  EXPECT_EQ(must(other->conversations().message(kAlice, id)).status, Status::kDone);
}

// F21: what was deleted is not left in the file, nor in its log.
TEST(SqliteStoreTest, DeletedTextIsOnTheDiskNoMore) {
  TestStore store;
  const std::string mark = "a-mark-that-stands-nowhere-else";
  const auto on_disk = [&] {
    for (const char* suffix : {"", "-wal"}) {
      const auto bytes = file_bytes(store.path() + suffix);
      const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      if (text.find(mark) != std::string_view::npos) return true;
    }
    return false;
  };
  const Uuid id = must(store->conversations().create(kAlice, {.title = mark}, turn(mark))).conversation.id;
  EXPECT_TRUE(on_disk());
  must(store->conversations().remove(kAlice, id));
  EXPECT_FALSE(on_disk());
}

TEST(SqliteStoreTest, SecretsOfKeysAreNotOnTheDisk) {
  TestStore store;
  const std::string secret = must(store->keys().add({.name = "k"})).secret;
  store.close();
  const auto bytes = file_bytes(store.path());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_EQ(text.find(secret), std::string_view::npos);
  EXPECT_EQ(text.find(secret.substr(20)), std::string_view::npos);
}

// Each append has two messages: readers with connections of their own see both or none.
TEST(SqliteStoreTest, ReadersSeeWholeAppendsWhileOneWrites) {
  TestStore store;
  const Conversation chat = must(store->conversations().create(kAlice, {}, turn("0"))).conversation;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      const TestWallClock clock;
      const auto own = must(open_sqlite_store(store.path(), clock));
      for (int read = 0; read < 50; ++read) {
        const Conversation now = must(own->conversations().conversation(kAlice, chat.id));
        const std::vector<Message> path = must(own->conversations().path(kAlice, *now.head));
        EXPECT_EQ(path.size(), static_cast<std::size_t>(2 * (now.version - 1)));
      }
    });
  }
  for (int i = 1; i < 50; ++i) {
    must(store->conversations().append(kAlice, chat.id, turn(fmt::format("{}", i))));
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(must(store->conversations().conversation(kAlice, chat.id)).version, 51);
}

TEST(SqliteStoreTest, KeysHaveAnotherVersionWhenAnotherProcessChangesThem) {
  TestStore store;
  const std::int64_t before = must(store->keys().version());
  EXPECT_EQ(must(store->keys().version()), before);
  const auto other = store.another();
  const CreatedKey made = must(other->keys().add({.name = "a"}));
  const std::int64_t added = must(store->keys().version());
  EXPECT_NE(added, before);
  must(other->keys().revoke("a"));
  EXPECT_NE(must(store->keys().version()), added);
}

}  // namespace
}  // namespace carat::store
