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

 private:
  void answer(http::TestConnection& c) {
    if (on_hub(c)) return;
    const std::string& target = c.request().target;
    if (files_.contains(target)) {
      c.redirect(cdn_.url(target + "?signature=1"));
      return;
    }
    for (const auto& [repository, list] : siblings_) {
      if (target == "/api/models/" + repository + "/revision/main?blobs=true") {
        c.reply("200 OK", R"({"sha":"c0ffee","siblings":[)" + list + "]}");
        return;
      }
    }
    for (const auto& [tag, list] : layers_) {
      if (target == "/v2/library/gemma3/manifests/" + tag) {
        c.reply("200 OK", R"({"schemaVersion":2,"layers":[)" + list + "]}");
        return;
      }
    }
    c.reply("404 Not Found", "");
  }

  void send_file(http::TestConnection& c) {
    if (on_cdn(c)) return;
    const std::string& target = c.request().target;
    const std::string& bytes = files_.at(target.substr(0, target.find('?')));
    const std::string range = ranges ? c.request().header("range") : "";
    std::size_t begin = 0;
    std::size_t end = bytes.size();
    std::string head = "HTTP/1.1 200 OK\r\n";
    if (!range.empty()) {
      begin = std::stoull(range.substr(6));
      end = std::stoull(range.substr(range.find('-') + 1)) + 1;
      head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + std::to_string(begin) + "-" +
             std::to_string(end - 1) + "/" + std::to_string(bytes.size()) + "\r\n";
    }
    head += "Content-Length: " + std::to_string(end - begin) + "\r\n\r\n";
    c.send(head + bytes.substr(begin, std::min<std::size_t>(end - begin, most)));
  }

  std::map<std::string, std::string> siblings_;
  std::map<std::string, std::string> layers_;
  std::map<std::string, std::string> files_;
  http::TestServer cdn_;
  http::TestServer hub_;  // first to go
};

}  // namespace carat::hub
