#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "base/sha256.h"
#include "http/test_server.h"

namespace carat::hub {

inline std::string sha256_text(std::string_view bytes) {
  return to_hex(sha256(std::as_bytes(std::span(bytes))));
}

// Bytes that differ from place to place, so that a part in the wrong place is noticed.
inline std::string numbered_bytes(std::size_t size, unsigned seed = 1) {
  std::string bytes(size, '\0');
  unsigned state = seed;
  for (char& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

// The Hugging Face hub and an Ollama registry on one address, which redirect to a CDN on another one. Tests
// say what is there, and what goes wrong.
class TestServices {
 public:
  TestServices()
      : cdn_([this](http::TestConnection& c) { send_file(c); }),
        hub_([this](http::TestConnection& c) { answer(c); }) {}

  std::string address() const { return hub_.url(""); }

  // A file of a repository on the hub. Without `large`, no digest is told, as for small text files.
  void add_file(const std::string& repository, const std::string& path, const std::string& bytes,
                bool large = true) {
    std::string& list = siblings_[repository];
    list += std::string(list.empty() ? "" : ",") + R"({"rfilename":")" + path + R"(","size":)" +
            std::to_string(bytes.size());
    if (large) list += R"(,"lfs":{"sha256":")" + sha256_text(bytes) + R"("})";
    list += "}";
    files_["/" + repository + "/resolve/c0ffee/" + path] = bytes;
  }

  // A layer of gemma3:TAG in the registry.
  void add_layer(const std::string& tag, const std::string& kind, const std::string& bytes) {
    std::string& list = layers_[tag];
    const std::string digest = "sha256:" + sha256_text(bytes);
    list += std::string(list.empty() ? "" : ",") + R"({"mediaType":"application/vnd.ollama.image.)" + kind +
            R"(","digest":")" + digest + R"(","size":)" + std::to_string(bytes.size()) + "}";
    files_["/v2/library/gemma3/blobs/" + digest] = bytes;
  }

  std::string& file(const std::string& target) { return files_.at(target); }

  // Called before an answer of the hub or the CDN; true when it gave one itself.
  std::function<bool(http::TestConnection&)> on_hub = [](http::TestConnection&) { return false; };
  std::function<bool(http::TestConnection&)> on_cdn = [](http::TestConnection&) { return false; };
  std::atomic<bool> ranges = true;           // whether the CDN honours them
  std::atomic<std::size_t> most = SIZE_MAX;  // bytes of a body that the CDN sends before it closes

  std::vector<http::TestRequest> hub_requests() const { return hub_.requests(); }
  std::vector<http::TestRequest> cdn_requests() const { return cdn_.requests(); }

  // What they answer when nothing goes wrong: the whole response, head and body.
  std::string hub_answer(const http::TestRequest& request) const {
    const std::string& target = request.target;
    if (files_.contains(target)) {
      return http::response("302 Found", "", "Location: " + cdn_.url(target + "?signature=1") + "\r\n");
    }
    for (const auto& [repository, list] : siblings_) {
      if (target == "/api/models/" + repository + "/revision/main?blobs=true") {
        return http::response("200 OK", R"({"sha":"c0ffee","siblings":[)" + list + "]}");
      }
    }
    for (const auto& [tag, list] : layers_) {
      if (target == "/v2/library/gemma3/manifests/" + tag) {
        return http::response("200 OK", R"({"schemaVersion":2,"layers":[)" + list + "]}");
      }
    }
    return http::response("404 Not Found", "");
  }

  std::string cdn_answer(const http::TestRequest& request) const {
    const auto file = files_.find(request.target.substr(0, request.target.find('?')));
    if (file == files_.end()) return http::response("404 Not Found", "");
    const std::string& bytes = file->second;
    const std::string range = ranges ? request.header("range") : "";
    if (range.empty()) return http::response("200 OK", bytes);
    const std::size_t begin = std::min<std::size_t>(std::stoull(range.substr(6)), bytes.size());
    const std::size_t end =
        std::min<std::size_t>(std::stoull(range.substr(range.find('-') + 1)) + 1, bytes.size());
    return http::response("206 Partial Content", std::string_view(bytes).substr(begin, end - begin),
                          "Content-Range: bytes " + std::to_string(begin) + "-" + std::to_string(end - 1) +
                              "/" + std::to_string(bytes.size()) + "\r\n");
  }

 private:
  void answer(http::TestConnection& c) {
    if (!on_hub(c)) c.send(hub_answer(c.request()));
  }

  void send_file(http::TestConnection& c) {
    if (on_cdn(c)) return;
    const std::string answer = cdn_answer(c.request());
    const std::size_t body = answer.find("\r\n\r\n") + 4;
    c.send(std::string_view(answer).substr(0, most < answer.size() - body ? body + most : answer.size()));
  }

  std::map<std::string, std::string> siblings_;
  std::map<std::string, std::string> layers_;
  std::map<std::string, std::string> files_;
  http::TestServer cdn_;
  http::TestServer hub_;  // first to go
};

}  // namespace carat::hub
