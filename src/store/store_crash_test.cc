// A process that is killed while it writes: what it was told is stored is there afterwards, whole.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <vector>

#include "base/counter_rng.h"
#include "store/database.h"
#include "store/test_store.h"

namespace carat::store {
namespace {

constexpr const char* kAlice = "alice";
constexpr int kKills = 12;

std::vector<Part> whole_answer(std::size_t turn_number) {
  return {TextPart{fmt::format("answer {} {}", turn_number, std::string(5000, 'x'))},
          ToolCallPart{fmt::format("call {}", turn_number), "f", "{}"}};
}

// One byte a confirmed step: appends and finished answers take turns.
void write_until_killed(const std::string& path, const Conversation& chat, std::size_t begin,
                        int confirmations) {
  const SystemWallClock clock;
  auto store = open_sqlite_store(path, clock);
  if (!store) return;
  const auto confirm = [&] { return ::write(confirmations, "+", 1) == 1; };
  for (std::size_t number = begin;; ++number) {
    const auto added =
        (*store)->conversations().append(kAlice, chat.id, turn(fmt::format("question {}", number)));
    if (!added || !confirm()) return;
    const MessageUpdate end{Status::kDone, whole_answer(number)};
    if (!(*store)->conversations().update(kAlice, added->messages[1], end) || !confirm()) return;
  }
}

// Starts such a process, kills it after `steps` confirmations; how many it gave in all.
std::size_t run_and_kill(const std::string& path, const Conversation& chat, std::size_t begin,
                         std::size_t steps) {
  std::array<int, 2> ends = {};
  if (::pipe(ends.data()) != 0) return 0;
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    write_until_killed(path, chat, begin, ends[1]);
    ::_exit(1);
  }
  ::close(ends[1]);
  std::size_t confirmed = 0;
  char step = 0;
  while (::read(ends[0], &step, 1) == 1) {
    if (++confirmed == steps) ::kill(child, SIGKILL);
  }
  ::close(ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the writer failed by itself";
  return confirmed;
}

// The turn is question and answer; the answer is there as a whole, or was not begun.
void expect_whole_turn(const Message& question, const Message& answer, std::size_t number,
                       bool must_be_done) {
  EXPECT_EQ(text_of(question), fmt::format("question {}", number));
  if (answer.status == Status::kDone) {
    EXPECT_EQ(answer.parts, whole_answer(number));
  } else {
    EXPECT_FALSE(must_be_done) << number;
    EXPECT_EQ(answer.status, Status::kInterrupted);
    EXPECT_TRUE(answer.parts.empty());
  }
}

TEST(StoreCrashTest, EveryConfirmedMessageSurvivesAKillAndNoneIsHalfThere) {
  TestStore store;
  const Conversation chat = must(store->conversations().create(kAlice, {}, {})).conversation;
  store.close();
  std::size_t turns = 0;   // known to be stored
  std::vector<bool> done;  // of each: its answer was confirmed
  for (int round = 0; round < kKills; ++round) {
    const auto steps =
        1 + static_cast<std::size_t>(9 * uniform_draw(2026, static_cast<std::uint64_t>(round)));
    const std::size_t confirmed = run_and_kill(store.path(), chat, turns, steps);
    EXPECT_GE(confirmed, steps);
    store.open();
    const Conversation now = must(store->conversations().conversation(kAlice, chat.id));
    ASSERT_TRUE(now.head);
    const std::vector<Message> path = must(store->conversations().path(kAlice, *now.head));
    store.close();
    ASSERT_EQ(path.size() % 2, 0U);
    ASSERT_GE(path.size() / 2, turns + (confirmed + 1) / 2);
    for (std::size_t i = 0; i < confirmed / 2; ++i) done.push_back(true);
    done.resize(path.size() / 2, false);
    turns = path.size() / 2;
    for (std::size_t i = 0; i < turns; ++i) expect_whole_turn(path[2 * i], path[2 * i + 1], i, done[i]);
    const auto database = must(Database::open(store.path()));
    Query check = database->query("PRAGMA integrity_check");
    EXPECT_TRUE(must(check.next()));
    EXPECT_EQ(check.text(0), "ok");
  }
}

}  // namespace
}  // namespace carat::store
