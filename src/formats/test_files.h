#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_source.h"
#include "base/result.h"

namespace carat::formats {

inline std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

inline std::vector<std::byte> file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return bytes_of(std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
}

inline std::shared_ptr<const ByteSource> in_memory(std::vector<std::byte> bytes) {
  return memory_source("test file", std::move(bytes));
}

// Whether a Result is an error of that kind whose message holds all the texts.
template <class T>
testing::AssertionResult is_error(const Result<T>& result, ErrorKind kind,
                                  std::initializer_list<std::string_view> texts) {
  if (result) return testing::AssertionFailure() << "no error";
  if (result.error().kind != kind) {
    return testing::AssertionFailure()
           << "kind " << static_cast<int>(result.error().kind) << ": " << result.error().message;
  }
  for (const std::string_view text : texts) {
    if (result.error().message.find(text) == std::string::npos) {
      return testing::AssertionFailure() << "'" << text << "' is not in: " << result.error().message;
    }
  }
  return testing::AssertionSuccess();
}

// A folder of a test's own, removed at its end.
class TestFolder {
 public:
  TestFolder() {
    std::string pattern = testing::TempDir() + "carat_formats.XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string path() const { return path_.string(); }
  std::string path(std::string_view name) const { return (path_ / name).string(); }

  // Returns the file's path.
  std::string write(std::string_view name, std::span<const std::byte> bytes) const {
    std::ofstream file(path_ / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path(name);
  }
  std::string write(std::string_view name, std::string_view text) const {
    return write(name, bytes_of(text));
  }

 private:
  std::filesystem::path path_;
};

}  // namespace carat::formats
