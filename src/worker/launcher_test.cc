#include "worker/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "worker/message.h"
#include "worker/serve.h"

namespace carat::worker {
namespace {

using testing::HasSubstr;

std::string test_program() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "worker_test_program").string();
}

Result<std::vector<std::byte>> run(const std::string& job, Limits limits = {},
                                   const std::stop_token& stop = {}) {
  return Launcher(test_program(), limits).run(job, {}, stop);
}

std::string error_of(const std::string& job, Limits limits = {}) {
  const auto reply = run(job, limits);
  return reply ? "no error" : reply.error().message;
}

int number_of(const std::string& job) {
  const auto reply = run(job);
  if (!reply) {
    ADD_FAILURE() << reply.error().message;
    return -1;
  }
  return static_cast<int>(MessageReader(*reply).u32().value_or(~0U));
}

TEST(LauncherTest, CarriesBytesThereAndBack) {
  const Launcher launcher(test_program());
  for (const std::size_t size : {0, 1, 15, 16, 17, 70'001, 5'000'003}) {
    std::vector<std::byte> request(size);
    for (std::size_t i = 0; i < size; ++i) request[i] = static_cast<std::byte>(i * 7 + i / 251);
    const auto reply = launcher.run("echo", request);
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(*reply, request);
  }
}

TEST(SessionTest, OneProcessAnswersAgainAndAgain) {
  auto session = Session::start(test_program(), "count_requests", {});
  ASSERT_TRUE(session) << session.error().message;
  for (std::uint32_t i = 1; i <= 3; ++i) {
    const auto reply = session->ask(std::vector<std::byte>(std::size_t{1000} * i));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(MessageReader(*reply).u32(), i);
    EXPECT_TRUE(session->is_alive());
  }
}

TEST(SessionTest, IsOverWhenItsProcessHasEnded) {
  auto session = Session::start(test_program(), "leave", {});
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_FALSE(session->ask({}));
  EXPECT_FALSE(session->is_alive());
  EXPECT_FALSE(session->ask({}));
}

TEST(SessionTest, ARequestToStopEndsItsProcess) {
  auto session = Session::start(test_program(), "sleep", {});
  ASSERT_TRUE(session) << session.error().message;
  std::stop_source stop;
  stop.request_stop();
  const auto reply = session->ask({}, stop.get_token());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::kInterrupted);
  EXPECT_FALSE(session->is_alive());
}

TEST(LauncherTest, PassesOnWhatTheJobSaysWithoutControlCharacters) {
  EXPECT_THAT(error_of("refuse"), HasSubstr("this is not a picture"));
  EXPECT_EQ(error_of("refuse").find('\x1b'), std::string::npos);
}

TEST(LauncherTest, SaysWhatAWorkerDiedOf) {
  if (kWithoutSanitizer) {  // a sanitizer turns the signal into a report
    EXPECT_THAT(error_of("crash"), HasSubstr("signal 11 (Segmentation fault)"));
  }
  EXPECT_THAT(error_of("abort"), HasSubstr("signal 6 (Aborted)"));
  EXPECT_THAT(error_of("leave"), HasSubstr("status 7"));
  EXPECT_THAT(error_of("no such job"), HasSubstr("status 1"));
  EXPECT_THAT(error_of("stop_halfway"), HasSubstr("no answer"));
}

TEST(LauncherTest, HoldsAWorkerToItsLimits) {
  EXPECT_THAT(error_of("spin", {.processor_time = std::chrono::seconds(1)}),
              HasSubstr("1 s of processor time"));
  EXPECT_THAT(error_of("sleep", {.wall_time = std::chrono::milliseconds(50)}),
              HasSubstr("ended after 0.05 s"));
  EXPECT_THAT(error_of("lie_about_length"), HasSubstr("where at most 268435456 are allowed"));
  if (kWithoutSanitizer) {
    EXPECT_THAT(error_of("eat_memory", {.memory_bytes = std::uint64_t{256} << 20}), HasSubstr("more memory"));
  }
}

TEST(LauncherTest, AWorkerHasNoFilesSocketsProgramsOrCode) {
  EXPECT_EQ(number_of("open_file"), ENOENT);
  EXPECT_NE(number_of("write_file"), 0);
  EXPECT_FALSE(std::filesystem::exists("/tmp/carat-worker-escape"));
  EXPECT_THAT(error_of("open_socket"), HasSubstr("forbidden system call"));
  EXPECT_THAT(error_of("run_program"), HasSubstr("forbidden system call"));
  EXPECT_EQ(number_of("make_code"), EPERM);
}

TEST(LauncherTest, AWorkerMayUseThreads) {
  if (!kWithoutSanitizer) GTEST_SKIP() << "a sanitizer's threads make calls that a worker may not";
  EXPECT_EQ(number_of("use_thread"), 42);
}

TEST(LauncherTest, TheEnvironmentStaysOutside) {
  ::setenv("HF_TOKEN", "secret", 1);
  ::unsetenv("LD_LIBRARY_PATH");
  EXPECT_EQ(number_of("count_secrets"), 0);
}

TEST(LauncherTest, AStopRequestEndsTheWorker) {
  std::stop_source source;
  std::jthread stopper([&source] { source.request_stop(); });
  const auto reply = run("sleep", {}, source.get_token());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::kInterrupted);
}

TEST(LauncherTest, AMissingProgramIsSaidSo) {
  const auto reply = Launcher("/no/such/carat-worker").run("echo", {});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(reply.error().message, HasSubstr("/no/such/carat-worker"));
}

TEST(LauncherTest, TellsWhichLayersHold) {
  const auto reply = run(std::string(kSandboxJob));
  ASSERT_TRUE(reply) << reply.error().message;
  const std::string text(reinterpret_cast<const char*>(reply->data()), reply->size());
  EXPECT_THAT(text, HasSubstr("system-call filter"));
}

}  // namespace
}  // namespace carat::worker
