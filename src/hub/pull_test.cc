#include "hub/pull.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <csignal>
#include <mutex>
#include <vector>

#include "base/byte_source.h"
#include "formats/test_files.h"
#include "hub/pull_record.h"
#include "hub/test_services.h"

namespace carat::hub {
namespace {

namespace fs = std::filesystem;
using formats::is_error;
using http::TestConnection;
using std::chrono::seconds;

constexpr const char* kRepository = "ggml-org/gemma-3-4b-it-GGUF";
constexpr const char* kModelTarget = "/ggml-org/gemma-3-4b-it-GGUF/resolve/c0ffee/gemma-3-4b-it-Q4_K_M.gguf";

// Waits for nothing, and remembers for how long.
class TestWaiter final : public Waiter {
 public:
  Result<> wait(seconds time, const std::stop_token& stop) override {
    const std::lock_guard lock(mutex_);
    waits.push_back(time);
    if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    return {};
  }
  std::vector<seconds> waits;

 private:
  std::mutex mutex_;
};

class PullTest : public testing::Test {
 protected:
  PullTest() : model(numbered_bytes(10'007)), projector(numbered_bytes(1'001, 2)) {
    services.add_file(kRepository, "README.md", "hello", false);
    services.add_file(kRepository, "gemma-3-4b-it-Q4_K_M.gguf", model);
    services.add_file(kRepository, "gemma-3-4b-it-Q8_0.gguf", "other");
    services.add_file(kRepository, "mmproj-model-f16.gguf", projector);
    options.store = folder.path("models");
    options.services = {services.address(), services.address(), ""};
    options.download = {.connections = 4, .piece_bytes = 2'000, .first_bytes = 500};
    options.check_model = [](const fs::path&) -> Result<> { return {}; };  // numbered bytes are no model
  }

  Result<Pulled> pull_it(std::string_view name = "gemma-3-4b-it") {
    const http::Client client({});
    return pull(name, client, waiter, options, stop.get_token());
  }

  std::string stored(const std::string& name) const {
    return read_whole_file((options.store / name).string(), 1 << 20).value_or("(missing)");
  }

  void expect_stored() const {
    EXPECT_EQ(stored("gemma-3-4b-it-Q4_K_M/gemma-3-4b-it-Q4_K_M.gguf"), model);
    EXPECT_EQ(stored("gemma-3-4b-it-Q4_K_M/mmproj-model-f16.gguf"), projector);
    EXPECT_FALSE(fs::exists(options.store / "gemma-3-4b-it-Q4_K_M.partial"));
  }

  std::string model;
  std::string projector;
  formats::TestFolder folder;
  TestServices services;
  TestWaiter waiter;
  PullOptions options;
  std::stop_source stop;
};

TEST_F(PullTest, GetsAModelWithItsProjectorInParts) {
  const auto pulled = pull_it();
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->name, "gemma-3-4b-it-Q4_K_M");
  expect_stored();
  EXPECT_EQ(services.cdn_requests().size(), 1U + 5U + 2U);  // first bytes, the rest in parts; twice
  EXPECT_EQ(std::distance(fs::directory_iterator(pulled->folder), fs::directory_iterator()), 3);

  const auto record = read_record(pulled->folder);
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(record->revision, "c0ffee");
  EXPECT_EQ(record->names, (std::vector<std::string>{"ggml-org/gemma-3-4b-it-GGUF:Q4_K_M", "gemma-3-4b-it"}));
  EXPECT_EQ(record->files.at(1).role, FileRole::kProjector);
  EXPECT_EQ(record->files.at(1).sha256, sha256_text(projector));
}

TEST_F(PullTest, DoesNothingWhereTheModelIsThere) {
  ASSERT_TRUE(pull_it());
  const std::size_t before = services.cdn_requests().size();
  const auto again = pull_it("hf.co/ggml-org/gemma-3-4b-it-GGUF:q4_k_m");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->was_there);
  EXPECT_EQ(services.cdn_requests().size(), before);
  EXPECT_EQ(read_record(again->folder)->names.back(), "hf.co/ggml-org/gemma-3-4b-it-GGUF:q4_k_m");
}

TEST_F(PullTest, ReplacesAnOlderRevision) {
  ASSERT_TRUE(pull_it());
  std::string newer = numbered_bytes(9'000, 7);
  TestServices later;
  later.add_file(kRepository, "gemma-3-4b-it-Q4_K_M.gguf", newer);
  options.services = {later.address(), later.address(), ""};
  const auto pulled = pull_it();
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(stored("gemma-3-4b-it-Q4_K_M/gemma-3-4b-it-Q4_K_M.gguf"), newer);
  EXPECT_FALSE(fs::exists(pulled->folder / "mmproj-model-f16.gguf"));
  EXPECT_FALSE(fs::exists(options.store / "gemma-3-4b-it-Q4_K_M.partial"));
}

TEST_F(PullTest, GetsAModelFromAnOllamaRegistry) {
  services.add_layer("4b", "model", model);
  services.add_layer("4b", "projector", projector);
  services.add_layer("4b", "license", "Gemma");
  const auto pulled = pull_it("gemma3:4b");
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(stored("ollama-gemma3-4b/ollama-gemma3-4b.gguf"), model);
  EXPECT_EQ(stored("ollama-gemma3-4b/mmproj-ollama-gemma3-4b.gguf"), projector);
  EXPECT_EQ(read_record(pulled->folder)->names, std::vector<std::string>{"gemma3:4b"});
  EXPECT_EQ(services.hub_requests().at(0).header("accept"),
            "application/vnd.docker.distribution.manifest.v2+json");
}

TEST_F(PullTest, GetsASafetensorsRepository) {
  services.add_file("google/gemma-3-1b-pt", "config.json", "{}", false);
  services.add_file("google/gemma-3-1b-pt", "model.safetensors", model);
  services.add_file("google/gemma-3-1b-pt", ".gitattributes", "x", false);
  const auto pulled = pull_it("gemma-3-1b-pt");
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(stored("gemma-3-1b-pt/model.safetensors"), model);
  EXPECT_EQ(stored("gemma-3-1b-pt/config.json"), "{}");
  EXPECT_FALSE(fs::exists(pulled->folder / ".gitattributes"));
}

// The connection is cut after each number of bytes: the pull goes on where it stopped, and no byte is fetched
// twice.
TEST_F(PullTest, GoesOnAfterACutAtAnyByte) {
  options.download.connections = 1;
  for (std::size_t cut = 41; cut < 2'100; cut += 127) {
    std::size_t sent = 0;
    services.most = cut;
    services.on_cdn = [&](TestConnection&) {
      ++sent;
      return false;
    };
    const auto pulled = pull_it();
    ASSERT_TRUE(pulled) << cut << ": " << pulled.error().message;
    expect_stored();
    EXPECT_LE(sent, (model.size() + projector.size()) / cut + 9) << cut;
    fs::remove_all(options.store);
  }
}

// The whole pull ends at each byte, as after Ctrl-C; the next one starts from what is there.
TEST_F(PullTest, TheNextPullGoesOnAfterAStopAtAnyByte) {
  for (std::size_t stop_at = 0; stop_at < model.size() + projector.size(); stop_at += 977) {
    std::uint64_t reached = 0;
    stop = std::stop_source();
    options.progress = [&](PullPhase, std::uint64_t done, std::uint64_t) {
      reached = done;
      if (done >= stop_at) stop.request_stop();
    };
    const auto stopped = pull_it();
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted) << stopped.error().message;
    EXPECT_FALSE(fs::exists(options.store / "gemma-3-4b-it-Q4_K_M"));

    stop = std::stop_source();
    std::uint64_t first = UINT64_MAX;
    options.progress = [&](PullPhase, std::uint64_t done, std::uint64_t) { first = std::min(first, done); };
    const auto pulled = pull_it();
    ASSERT_TRUE(pulled) << stop_at << ": " << pulled.error().message;
    EXPECT_GE(first, std::min<std::uint64_t>(reached, 500)) << stop_at;
    expect_stored();
    fs::remove_all(options.store);
  }
}

TEST_F(PullTest, AStateThatDoesNotFitIsNotBelieved) {
  const fs::path partial = options.store / "gemma-3-4b-it-Q4_K_M.partial";
  const std::string sha = sha256_text(model);
  const std::string head =
      R"({"version":1,"url":"u","finished":false,"sha256":")" + sha + R"(","bytes":10007,)";
  for (const std::string& state :
       {std::string("{"), std::string("[]"), std::string("\xff"), head + R"("ranges":[[0,99999]]})",
        head + R"("ranges":[[5,4]]})", head + R"("ranges":[[0,-1]]})", head + R"("ranges":[["a",1]]})",
        head + R"("ranges":[[0,10007]]})",  // but .part has 3 bytes
        R"({"version":1,"url":"u","finished":true,"sha256":")" + sha + R"(","bytes":10007,"ranges":[]})"}) {
    fs::create_directories(partial);
    folder.write("models/gemma-3-4b-it-Q4_K_M.partial/gemma-3-4b-it-Q4_K_M.gguf.part", "abc");
    folder.write("models/gemma-3-4b-it-Q4_K_M.partial/gemma-3-4b-it-Q4_K_M.gguf.state", state);
    const auto pulled = pull_it();
    ASSERT_TRUE(pulled) << state << pulled.error().message;
    expect_stored();
    fs::remove_all(options.store);
  }
}

// Bytes that went bad on the disk between two pulls cost a second download, once.
TEST_F(PullTest, ADamagedPartIsFoundAndFetchedAgain) {
  services.most = 300;
  services.on_cdn = [&](TestConnection&) {
    if (services.cdn_requests().size() > 5) stop.request_stop();
    return false;
  };
  ASSERT_FALSE(pull_it());
  services.on_cdn = [](TestConnection&) { return false; };
  services.most = SIZE_MAX;
  stop = std::stop_source();
  const std::string part = folder.path("models/gemma-3-4b-it-Q4_K_M.partial/gemma-3-4b-it-Q4_K_M.gguf.part");
  std::fstream(part, std::ios::in | std::ios::out | std::ios::binary).write("damaged", 7);
  const auto pulled = pull_it();
  ASSERT_TRUE(pulled) << pulled.error().message;
  expect_stored();
}

TEST_F(PullTest, RefusesAFileWithAnotherHash) {
  services.file(kModelTarget)[5'000] ^= 1;
  EXPECT_TRUE(is_error(pull_it(), ErrorKind::kNetwork, {"SHA-256"}));
  EXPECT_FALSE(fs::exists(options.store / "gemma-3-4b-it-Q4_K_M"));
}

TEST_F(PullTest, TakesTheWholeFileWhereRangesAreIgnored) {
  services.ranges = false;
  ASSERT_TRUE(pull_it());
  expect_stored();
}

TEST_F(PullTest, GivesUpWhereRangesAreIgnoredAndEachTryIsCut) {
  services.ranges = false;
  services.most = 700;
  EXPECT_TRUE(is_error(pull_it(), ErrorKind::kNetwork, {"cut"}));
  EXPECT_EQ(waiter.waits.size(), static_cast<std::size_t>(Retries::kMost));
}

TEST_F(PullTest, NeverWritesMoreBytesThanPromised) {
  for (const bool ranges : {true, false}) {
    services.on_cdn = [&](TestConnection& c) {
      const std::string range = c.request().header("range");
      const std::string bounds = range.empty() ? "" : range.substr(6);
      c.send(ranges && !range.empty()
                 ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + bounds + "/10007\r\n\r\n"
                 : "HTTP/1.1 200 OK\r\n\r\n");
      while (c.send(std::string(1'000, 'x'))) {
      }
      return true;
    };
    EXPECT_TRUE(is_error(pull_it(), ErrorKind::kNetwork, {"more bytes"}));
    std::error_code error;
    EXPECT_LE(fs::file_size(folder.path("models/gemma-3-4b-it-Q4_K_M.partial/gemma-3-4b-it-Q4_K_M.gguf.part"),
                            error),
              model.size());
    EXPECT_TRUE(waiter.waits.empty());
    fs::remove_all(options.store);
  }
}

TEST_F(PullTest, RefusesAFileLongerThanPromised) {
  services.file(kModelTarget) += "more";
  EXPECT_TRUE(is_error(pull_it(), ErrorKind::kNetwork, {"bytes 0-499/10007", "bytes 0-499/10011"}));
  services.ranges = false;
  EXPECT_TRUE(is_error(pull_it(), ErrorKind::kNetwork, {"expected 10007 bytes", "10011"}));
}

TEST_F(PullTest, GivesUpOnAFileShorterThanPromised) {
  services.ranges = false;
  services.file(kModelTarget).resize(9'000);
  EXPECT_TRUE(is_error(pull_it(), ErrorKind::kNetwork, {"fewer bytes"}));
}

TEST_F(PullTest, RefusesARangeThatWasNotAskedFor) {
  for (const char* range : {"bytes 1-500/10007", "bytes 0-499/*", "bytes 0-499/99999", "", "bytes 0-4"}) {
    services.on_cdn = [&](TestConnection& c) {
      c.reply("206 Partial Content", std::string(500, 'x'), "Content-Range: " + std::string(range) + "\r\n");
      return true;
    };
    EXPECT_TRUE(is_error(pull_it(), ErrorKind::kNetwork, {"expected the range"})) << range;
  }
}

TEST_F(PullTest, TriesAgainWhereTheServerIsBusy) {
  int failures = 0;
  services.on_hub = [&](TestConnection& c) {
    if (++failures > 3) return false;
    c.reply(failures == 1 ? "429 Too Many Requests" : "503 Service Unavailable", "",
            failures == 1 ? "Retry-After: 17\r\n" : "");
    return true;
  };
  options.download.connections = 1;
  ASSERT_TRUE(pull_it());
  EXPECT_EQ(waiter.waits, (std::vector{seconds{17}, seconds{2}, seconds{4}}));
  expect_stored();
}

TEST_F(PullTest, GivesUpOnAServerThatStaysBusyOrAsksForTooLong) {
  services.on_cdn = [](TestConnection& c) { return c.reply("429 Too Many Requests", ""); };
  EXPECT_TRUE(is_error(pull_it(), ErrorKind::kNetwork, {"too many requests"}));
  EXPECT_EQ(waiter.waits.size(), static_cast<std::size_t>(Retries::kMost));
  waiter.waits.clear();
  services.on_cdn = [](TestConnection& c) {
    return c.reply("429 Too Many Requests", "", "Retry-After: 86400\r\n");
  };
  EXPECT_TRUE(is_error(pull_it(), ErrorKind::kNetwork, {"too many requests"}));
  EXPECT_TRUE(waiter.waits.empty());
}

TEST_F(PullTest, SaysWhatToDoAboutAGatedRepository) {
  services.add_file("google/gemma-3-4b-it", "config.json", "{}", false);
  services.add_file("google/gemma-3-4b-it", "model.safetensors", model);
  services.on_hub = [](TestConnection& c) {
    if (c.request().target.starts_with("/api/")) return false;
    return c.reply(c.request().header("authorization").empty() ? "401 Unauthorized" : "403 Forbidden", "",
                   "X-Error-Code: GatedRepo\r\n");
  };
  EXPECT_TRUE(
      is_error(pull_it("google/gemma-3-4b-it"), ErrorKind::kFailed,
               {"accept the Gemma terms at", "/google/gemma-3-4b-it", "HF_TOKEN", "/settings/tokens"}));
  options.services.token = "hf_secret";
  const auto refused = pull_it("google/gemma-3-4b-it");
  EXPECT_TRUE(is_error(refused, ErrorKind::kFailed, {"HF_TOKEN is not accepted"}));
  EXPECT_EQ(refused.error().message.find("hf_secret"), std::string::npos);
}

TEST_F(PullTest, TheTokenGoesToTheHubAlone) {
  options.services.token = "hf_secret";
  ASSERT_TRUE(pull_it());
  for (const auto& request : services.hub_requests())
    EXPECT_EQ(request.header("authorization"), "Bearer hf_secret");
  for (const auto& request : services.cdn_requests()) EXPECT_EQ(request.header("authorization"), "");
  services.add_layer("4b", "model", model);
  ASSERT_TRUE(pull_it("gemma3:4b"));
  EXPECT_EQ(services.hub_requests().back().header("authorization"), "");
}

TEST_F(PullTest, SaysWhatIsNotThere) {
  EXPECT_TRUE(is_error(pull_it("nobody/nothing"), ErrorKind::kNotFound, {"no such repository"}));
  EXPECT_TRUE(is_error(pull_it("gemma3:4b-none"), ErrorKind::kNotFound, {"no such model or tag"}));
  EXPECT_TRUE(is_error(pull_it("ggml-org/gemma-3-4b-it-GGUF:Q2_K"), ErrorKind::kNotFound,
                       {"'Q2_K'", "gemma-3-4b-it-Q4_K_M", "gemma-3-4b-it-Q8_0"}));
  EXPECT_TRUE(is_error(pull_it("ggml-org/gemma-3-4b-it-GGUF/x.gguf"), ErrorKind::kNotFound, {"'x.gguf'"}));
  services.on_hub = [](TestConnection& c) {
    return c.reply("401 Unauthorized", "", "X-Error-Code: RepoNotFound\r\n");
  };
  EXPECT_TRUE(is_error(pull_it("nobody/nothing"), ErrorKind::kNotFound, {"no such repository", "private"}));
}

TEST_F(PullTest, RefusesAnswersThatMakeNoSense) {
  for (const char* answer :
       {"", "{", "[]", "{}", R"({"sha":1,"siblings":[]})", R"({"sha":"a","siblings":[{"rfilename":5}]})",
        R"({"sha":"a","siblings":[{"rfilename":".gemma-Q4_K_M.gguf","size":5,"lfs":{"sha256":"00"}}]})",
        R"({"sha":"a","siblings":[{"rfilename":"gemma-Q4_K_M.gguf","size":5,"lfs":{"sha256":"00"}}]})",
        R"({"sha":"a","siblings":[{"rfilename":"gemma-Q4_K_M.gguf","size":5}]})"}) {
    services.on_hub = [&](TestConnection& c) { return c.reply("200 OK", answer); };
    EXPECT_TRUE(is_error(pull_it(), ErrorKind::kNetwork, {})) << answer;
    EXPECT_TRUE(is_error(pull_it("gemma3:4b"), ErrorKind::kNetwork, {})) << answer;
  }
  services.on_hub = [&](TestConnection& c) {
    return c.reply("200 OK", R"({"layers":[{"mediaType":"application/vnd.ollama.image.model","size":5,)"
                             R"("digest":"sha256:../../../etc/passwd"}]})");
  };
  EXPECT_TRUE(is_error(pull_it("gemma3:4b"), ErrorKind::kNetwork, {"SHA-256"}));
}

TEST_F(PullTest, ChecksTheRoomFirst) {
  options.free_bytes = [](const fs::path&) { return std::uint64_t{64'011'000}; };
  EXPECT_TRUE(is_error(pull_it(), ErrorKind::kDiskFull, {"67.1 MB", "but only 64.0 MB are free"}));
  EXPECT_TRUE(services.cdn_requests().empty());
}

TEST_F(PullTest, AFullDiskEndsAPullThatCanGoOn) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 6'000;
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto full = pull_it();
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_TRUE(is_error(full, ErrorKind::kDiskFull, {".part"}));
  EXPECT_TRUE(waiter.waits.empty());
  ASSERT_TRUE(pull_it());
  expect_stored();
}

TEST_F(PullTest, OnePullAtATime) {
  const fs::path partial = options.store / "gemma-3-4b-it-Q4_K_M.partial";
  fs::create_directories(partial);
  const int other = ::open(partial.c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  EXPECT_TRUE(is_error(pull_it(), ErrorKind::kFailed, {"another pull"}));
  ::close(other);
  ASSERT_TRUE(pull_it());
}

TEST_F(PullTest, CountsUpToTheWhole) {
  std::uint64_t last = 0;
  options.progress = [&](PullPhase phase, std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(total, model.size() + projector.size());
    EXPECT_TRUE(phase == PullPhase::kChecking || done >= last);
    last = done;
  };
  ASSERT_TRUE(pull_it());
  EXPECT_EQ(last, model.size() + projector.size());
}

}  // namespace
}  // namespace carat::hub
