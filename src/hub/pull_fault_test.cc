// Everything that a service can do wrong, one fault at a time, against the whole of pull(): each time there
// is either the right file or an error and no file, and a pull from a sound service then succeeds.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <ostream>
#include <vector>

#include "base/byte_source.h"
#include "formats/test_files.h"
#include "hub/pull.h"
#include "hub/test_services.h"

namespace carat::hub {
namespace {

namespace fs = std::filesystem;
using http::TestConnection;
using http::TestRequest;
using std::chrono::seconds;

class CountingWaiter final : public Waiter {
 public:
  Result<> wait(seconds time, const std::stop_token&) override {
    const std::lock_guard lock(mutex_);
    waits.push_back(time);
    return {};
  }
  std::vector<seconds> waits;

 private:
  std::mutex mutex_;
};

// A folder in memory where there is such a place: nothing here is about the disk, and a sweep flushes a lot.
class FastFolder {
 public:
  FastFolder() {
    std::string pattern = "/dev/shm/carat_pull.XXXXXX";
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~FastFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  FastFolder(const FastFolder&) = delete;
  FastFolder& operator=(const FastFolder&) = delete;

  std::string path(std::string_view name) const {
    return path_.empty() ? other_.path(name) : (path_ / name).string();
  }

 private:
  fs::path path_;
  formats::TestFolder other_;
};

// Where an answer comes from: the description of the model, the redirect to the file, the file.
enum class Place { kDescription, kRedirect, kFile };

// Makes something wrong of a right answer, the nth (from 0) of its place.
using Spoil = std::function<std::string(std::string answer, std::size_t nth)>;

enum class Expect { kSuccess, kFailure, kEither };

struct Case {
  std::string name;
  Place place = Place::kFile;
  Spoil spoil = [](std::string answer, std::size_t) { return answer; };
  Expect expect = Expect::kEither;
  std::function<void(TestServices&)> prepare = [](TestServices&) {};
  std::vector<seconds> waits = {};  // checked where there are some
};

struct Protocol {
  const char* name;
  const char* model;      // what is pulled
  const char* in_folder;  // where its file is in the store
  const char* target;     // its address; null: by its digest

  friend void PrintTo(const Protocol& protocol, std::ostream* out) { *out << protocol.name; }
};

constexpr Protocol kHuggingFace = {"HuggingFace", "ggml-org/gemma-3-4b-it-GGUF:Q4_K_M",
                                   "gemma-3-4b-it-Q4_K_M/gemma-3-4b-it-Q4_K_M.gguf",
                                   "/ggml-org/gemma-3-4b-it-GGUF/resolve/c0ffee/gemma-3-4b-it-Q4_K_M.gguf"};
constexpr Protocol kOllama = {"Ollama", "gemma3:4b", "ollama-gemma3-4b/ollama-gemma3-4b.gguf", nullptr};

// The prefix of `size` bytes is as far as the connection goes.
std::string cut(const std::string& answer, std::size_t size) { return answer.substr(0, size); }

std::string with_header(std::string answer, std::string_view name, std::string_view value) {
  const std::size_t begin = answer.find(name);
  if (begin == std::string::npos) return answer;
  const std::size_t end = answer.find("\r\n", begin);
  answer.replace(begin, end - begin, value.empty() ? "X-Nothing: 1" : fmt::format("{}: {}", name, value));
  return answer;
}

class PullFaultTest : public testing::TestWithParam<Protocol> {
 protected:
  PullFaultTest() : model_(numbered_bytes(1'201)) {}

  void add_model(TestServices& services) const {
    services.add_file("ggml-org/gemma-3-4b-it-GGUF", "gemma-3-4b-it-Q4_K_M.gguf", model_);
    services.add_layer("4b", "model", model_);
  }
  std::string target() const {
    if (GetParam().target != nullptr) return GetParam().target;
    return "/v2/library/gemma3/blobs/sha256:" + sha256_text(model_);
  }

  Result<Pulled> pull_from(const TestServices& services, Waiter& waiter) const {
    PullOptions options{.store = folder_.path("models")};
    options.services = {services.address(), services.address(), ""};
    options.download = {.connections = 1, .piece_bytes = 500, .first_bytes = 200};
    options.check_model = [](const fs::path&) -> Result<> { return {}; };
    return pull(GetParam().model, client_, waiter, options, {});
  }

  bool has_right_file() const {
    return read_whole_file(folder_.path("models") + "/" + GetParam().in_folder, 1 << 20).value_or("") ==
           model_;
  }

  void run(const Case& test) {
    SCOPED_TRACE(test.name);
    ++cases_;
    CountingWaiter waiter;
    const Result<Pulled> spoiled = pull_spoiled(test, waiter);
    EXPECT_EQ(has_right_file(), spoiled.has_value());
    if (!spoiled) {
      EXPECT_NE(test.expect, Expect::kSuccess) << spoiled.error().message;
      check_message(spoiled.error());
      EXPECT_FALSE(fs::exists(folder_.path("models") + "/" + GetParam().in_folder));
    } else {
      EXPECT_NE(test.expect, Expect::kFailure);
    }
    if (!test.waits.empty()) {
      EXPECT_EQ(waiter.waits, test.waits);
    }
    EXPECT_LE(waiter.waits.size(),
              model_.size() + std::size_t{5} * Retries::kMost);  // every byte, and then some
    TestServices sound;
    add_model(sound);
    const auto pulled = pull_from(sound, waiter);
    EXPECT_TRUE(pulled) << pulled.error().message;
    EXPECT_TRUE(has_right_file());
    const fs::path folder = fs::path(folder_.path("models") + "/" + GetParam().in_folder).parent_path();
    EXPECT_FALSE(fs::exists(folder.string() + ".partial"));
    fs::remove_all(folder_.path("models"));
  }

  // Numbers from 0 to `end` that are spread over all of it, in some `count` steps.
  static std::vector<std::size_t> spread(std::size_t end, std::size_t count) {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(i * end / count);
    return out;
  }

  std::size_t cases() const { return cases_; }
  const std::string& model() const { return model_; }

 private:
  // The services are gone, and their threads with them, when this returns.
  Result<Pulled> pull_spoiled(const Case& test, Waiter& waiter) const {
    std::atomic<std::size_t> count = 0;
    const auto spoil = [&](TestConnection& c, Place place, const std::string& answer) {
      if (place != test.place) return false;
      c.send(test.spoil(answer, count++));
      return true;
    };
    TestServices services;  // after what its threads use
    add_model(services);
    test.prepare(services);
    services.on_hub = [&](TestConnection& c) {
      const Place place = c.request().target == target() ? Place::kRedirect : Place::kDescription;
      return spoil(c, place, services.hub_answer(c.request()));
    };
    services.on_cdn = [&](TestConnection& c) {
      return spoil(c, Place::kFile, services.cdn_answer(c.request()));
    };
    return pull_from(services, waiter);
  }

  static void check_message(const Error& error) {
    EXPECT_TRUE(error.kind == ErrorKind::kNetwork || error.kind == ErrorKind::kFailed ||
                error.kind == ErrorKind::kNotFound)
        << error.message;
    EXPECT_GE(error.message.size(), 20U);
    for (const char* technical : {"asio", "beast", "boost", "errno", "system:"}) {
      EXPECT_EQ(error.message.find(technical), std::string::npos) << error.message;
    }
  }

  const std::string model_;
  const http::Client client_{{}};
  const FastFolder folder_;
  std::size_t cases_ = 0;
};

constexpr std::array kPlaces = {Place::kDescription, Place::kRedirect, Place::kFile};

TEST_P(PullFaultTest, ACutAtAnyByteOfAnyAnswer) {
  for (const Place place : kPlaces) {
    const std::size_t longest = place == Place::kFile ? 620 : place == Place::kRedirect ? 200 : 350;
    for (const std::size_t size : spread(longest, place == Place::kFile ? 60 : 25)) {
      for (const std::size_t which : {0U, 1U}) {
        if (which > 0 && place == Place::kDescription) continue;  // it is asked for once
        run({.name = fmt::format("{} bytes of answer {} at {}", size, which, static_cast<int>(place)),
             .place = place,
             .spoil = [=](const std::string& answer,
                          std::size_t nth) { return nth == which ? cut(answer, size) : answer; },
             .expect = Expect::kSuccess});
      }
    }
  }
  EXPECT_GT(cases(), 150U);
}

TEST_P(PullFaultTest, EveryAnswerIsCut) {
  for (const Place place : kPlaces) {
    for (const std::size_t size : {0U, 1U, 15U, 50U}) {
      run({.name = fmt::format("always {} bytes at {}", size, static_cast<int>(place)),
           .place = place,
           .spoil = [=](const std::string& answer, std::size_t) { return cut(answer, size); },
           .expect = Expect::kFailure});
    }
  }
  for (const std::size_t body : {11U, 40U, 199U, 499U}) {  // each brings the pull further
    run({.name = fmt::format("always {} bytes of the file", body),
         .spoil = [=](const std::string& answer,
                      std::size_t) { return cut(answer, answer.find("\r\n\r\n") + 4 + body); },
         .expect = Expect::kSuccess});
  }
}

TEST_P(PullFaultTest, AByteIsWrong) {
  for (const std::size_t at : spread(model().size(), 40)) {
    run({.name = fmt::format("byte {}", at),
         .expect = Expect::kFailure,
         .prepare = [&](TestServices& services) { services.file(target())[at] ^= 1; }});
  }
}

TEST_P(PullFaultTest, TheFileIsLongerOrShorterThanPromised) {
  for (const bool ranges : {true, false}) {
    for (const std::size_t size : {0U, 1U, 199U, 200U, 201U, 700U, 1'200U, 1'202U, 1'701U, 9'000U}) {
      run({.name = fmt::format("{} bytes, ranges {}", size, ranges),
           .expect = Expect::kFailure,
           .prepare = [&](TestServices& services) {
             services.file(target()).resize(size);
             services.ranges = ranges;
           }});
    }
  }
}

TEST_P(PullFaultTest, HeadersLie) {
  for (const char* length : {"0", "19", "199", "201", "700", "99999999999999999999", "-5", "abc", ""}) {
    for (const std::size_t first : {0U, 1U, 2U}) {
      run({.name = fmt::format("Content-Length: {} from answer {}", length, first),
           .spoil = [=](const std::string& answer, std::size_t nth) {
             return nth < first ? answer : with_header(answer, "Content-Length", length);
           }});
    }
  }
  for (const char* range : {"bytes 0-199/1202", "bytes 1-200/1201", "bytes 0-199/*", "bytes */1201",
                            "0-199/1201", "bytes 0-1200/1201", "bytes -1-5/1201", "lines 0-199/1201", ""}) {
    run({.name = fmt::format("Content-Range: {}", range),
         .spoil = [=](const std::string& answer,
                      std::size_t) { return with_header(answer, "Content-Range", range); },
         .expect = Expect::kFailure});
  }
  for (const Place place : kPlaces) {
    run({.name = "two lengths", .place = place, .spoil = [](std::string answer, std::size_t) {
           return answer.insert(answer.find("\r\n") + 2, "Content-Length: 3\r\n");
         }});
    run({.name = "compressed against our wish", .place = place, .spoil = [](std::string answer, std::size_t) {
           return answer.insert(answer.find("\r\n") + 2, "Content-Encoding: gzip\r\n");
         }});
  }
}

TEST_P(PullFaultTest, BodiesInChunks) {
  const auto chunked = [](const std::string& answer, std::string_view tail) {
    const std::size_t body = answer.find("\r\n\r\n") + 4;
    const std::size_t half = (answer.size() - body) / 2;
    std::string out = with_header(answer.substr(0, body), "Content-Length", "");
    out.insert(out.size() - 2, "Transfer-Encoding: chunked\r\n");
    const std::string first = answer.substr(body, half);
    const std::string second = answer.substr(body + half);
    return out + fmt::format("{:x}\r\n{}\r\n{:x};x=y\r\n{}\r\n{}", first.size(), first, second.size(), second,
                             tail);
  };
  for (const Place place : {Place::kDescription, Place::kFile}) {
    for (const auto& [tail, expect] :
         {std::pair("0\r\n\r\n", Expect::kSuccess), std::pair("", Expect::kEither),
          std::pair("5\r\nabcde\r\n0\r\n\r\n", Expect::kFailure),
          std::pair("fffffffff\r\n", Expect::kFailure), std::pair("zz\r\n", Expect::kEither)}) {
      run({.name = fmt::format("chunks and then '{}'", tail),
           .place = place,
           .spoil = [&](const std::string& answer, std::size_t) { return chunked(answer, tail); },
           .expect = place == Place::kFile ? Expect::kEither : expect});
    }
  }
}

TEST_P(PullFaultTest, Statuses) {
  for (const Place place : kPlaces) {
    for (const unsigned status : {204U, 304U, 400U, 401U, 403U, 404U, 410U, 416U, 418U, 451U, 408U, 429U,
                                  500U, 501U, 502U, 503U, 504U, 599U}) {
      for (const bool once : {true, false}) {
        run({.name = fmt::format("status {} at {}, once: {}", status, static_cast<int>(place), once),
             .place = place,
             .spoil =
                 [=](std::string answer, std::size_t nth) {
                   if (once && nth > 0) return answer;
                   return http::response(fmt::format("{} Whatever", status),
                                         status < 400 ? "" : "an explanation");
                 },
             .expect = once && may_pass(status) ? Expect::kSuccess : Expect::kFailure});
      }
    }
  }
}

TEST_P(PullFaultTest, RetryAfterIsHonoured) {
  struct Row {
    const char* header;
    std::vector<seconds> waits;
  };
  for (const Place place : kPlaces) {
    for (const Row& row : std::vector<Row>{{"7", {seconds{7}}},
                                           {"0", {seconds{1}}},
                                           {"600", {seconds{600}}},
                                           {"-1", {seconds{1}}},
                                           {"x", {seconds{1}}},
                                           {"Wed, 21 Oct 2015 07:28:00 GMT", {seconds{1}}},
                                           {"99999999999", {seconds{1}}}}) {
      for (const char* status : {"429 Too Many Requests", "503 Service Unavailable"}) {
        run({.name = fmt::format("{}, Retry-After: {}", status, row.header),
             .place = place,
             .spoil =
                 [=](const std::string& answer, std::size_t nth) {
                   return nth > 0
                              ? answer
                              : http::response(status, "", fmt::format("Retry-After: {}\r\n", row.header));
                 },
             .expect = Expect::kSuccess,
             .waits = row.waits});
      }
    }
    run({.name = "longer than anybody waits",
         .place = place,
         .spoil =
             [](const std::string&, std::size_t) {
               return http::response("429 Too Many Requests", "", "Retry-After: 601\r\n");
             },
         .expect = Expect::kFailure});
  }
}

TEST_P(PullFaultTest, Redirects) {
  for (const char* status : {"301", "302", "303", "307", "308"}) {
    run({.name = status,
         .place = Place::kRedirect,
         .spoil = [=](std::string answer, std::size_t) { return answer.replace(9, 3, status); },
         .expect = Expect::kSuccess});
  }
  for (const Place place : kPlaces) {
    for (const char* location :
         {"", "/", "nowhere", "//", "http://", "ftp://host/x", "http://[::1", "https:x", "?",
          "http://127.0.0.1:1/", "http://user@127.0.0.1/", "http://a b/", "#"}) {
      run({.name = fmt::format("to '{}'", location),
           .place = place,
           .spoil =
               [=](const std::string&, std::size_t) {
                 return http::response("302 Found", "", fmt::format("Location: {}\r\n", location));
               },
           .expect = Expect::kFailure});
    }
    run({.name = "to nowhere at all",
         .place = place,
         .spoil = [](const std::string&, std::size_t) { return http::response("302 Found", ""); },
         .expect = Expect::kFailure});
  }
  run({.name = "to itself, for ever",
       .place = Place::kRedirect,
       .spoil =
           [&](const std::string&, std::size_t) {
             return http::response("302 Found", "", fmt::format("Location: {}\r\n", target()));
           },
       .expect = Expect::kFailure});
  run({.name = "to itself, five times",
       .place = Place::kRedirect,
       .spoil =
           [&](const std::string& answer, std::size_t nth) {
             return nth >= 5 ? answer
                             : http::response("302 Found", "", fmt::format("Location: {}\r\n", target()));
           },
       .expect = Expect::kSuccess});
}

TEST_P(PullFaultTest, RangesAreIgnored) {
  for (const std::size_t first : {0U, 1U, 2U}) {
    for (const std::size_t body : spread(model().size() + 200, 12)) {
      run({.name = fmt::format("from answer {}, the whole file cut at {}", first, body),
           .spoil =
               [=, this](std::string answer, std::size_t nth) {
                 if (nth < first) return answer;
                 const std::string whole = http::response("200 OK", model());
                 return nth == first + 1 ? cut(whole, whole.size() - model().size() + body) : whole;
               },
           .expect = first == 0 ? Expect::kSuccess : Expect::kFailure});
    }
  }
}

TEST_P(PullFaultTest, TheFileChangesMeanwhile) {
  for (const std::size_t from : {0U, 1U, 2U, 3U}) {
    for (const bool cut_before : {false, true}) {
      run({.name = fmt::format("from answer {}, after a cut: {}", from, cut_before),
           .spoil =
               [=](std::string answer, std::size_t nth) {
                 const std::size_t body = answer.find("\r\n\r\n") + 4;
                 answer.insert(answer.find("\r\n") + 2, fmt::format("ETag: \"{}\"\r\n", nth >= from));
                 if (cut_before && nth + 1 == from) return cut(answer, body + 60);
                 if (nth >= from) answer.replace(answer.size() - 5, 5, "other");
                 return answer;
               },
           .expect = from < 3 ? Expect::kFailure : Expect::kEither});
    }
  }
}

TEST_P(PullFaultTest, WhatComesIsNoHttp) {
  const std::array<std::string, 10> answers = {
      "SSH-2.0-OpenSSH_9.2\r\n",
      "\r\n\r\n",
      "HTTP/1.1 \r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/9.9 200 OK\r\n\r\n",
      std::string(3, '\0'),
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
      "\x16\x03\x01\x02"};
  for (const Place place : kPlaces) {
    for (std::size_t i = 0; i < answers.size(); ++i) {
      run({.name = fmt::format("answer {} at {}", i, static_cast<int>(place)),
           .place = place,
           .spoil = [&](const std::string&, std::size_t) { return answers[i]; },
           .expect = Expect::kFailure});
    }
  }
}

// The description of the model is cut but whole as HTTP, or has a wrong bit: whatever is made of it, no other
// bytes come under the model's name.
TEST_P(PullFaultTest, TheDescriptionIsWrong) {
  const auto spoiled_body = [](const std::string& answer, const auto& change) {
    std::string body = answer.substr(answer.find("\r\n\r\n") + 4);
    change(body);
    return http::response("200 OK", body);
  };
  for (const std::size_t size : spread(180, 30)) {
    run({.name = fmt::format("its first {} bytes", size),
         .place = Place::kDescription,
         .spoil =
             [&](const std::string& answer, std::size_t) {
               return spoiled_body(answer,
                                   [&](std::string& body) { body.resize(std::min(size, body.size() - 1)); });
             },
         .expect = Expect::kFailure});
  }
  for (const std::size_t at : spread(180, 60)) {
    for (const char flip : {'\1', '\x10'}) {
      run({.name = fmt::format("bit {} of byte {}", static_cast<int>(flip), at),
           .place = Place::kDescription,
           .spoil = [&](const std::string& answer, std::size_t nth) {
             if (nth > 0) return answer;  // to a question that the wrong description led to
             return spoiled_body(answer, [&](std::string& body) { body.at(at % body.size()) ^= flip; });
           }});
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Protocols, PullFaultTest, testing::Values(kHuggingFace, kOllama),
                         [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace carat::hub
