#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/test_wall_clock.h"
#include "formats/test_files.h"
#include "store/sqlite_store.h"

namespace carat::store {

// What tests expect to succeed; the message otherwise.
template <class T>
T must(Result<T> result) {
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message);
  return result ? std::move(*result) : T{};
}
inline void must(const Result<>& result) {
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message);
}

inline NewMessage says(Role role, const std::string& text) {
  return {.role = role, .parts = {TextPart{text}}};
}
inline NewMessage pending_answer() { return {.role = Role::kAssistant, .status = Status::kPending}; }

inline Append turn(const std::string& question) {
  return {.messages = {says(Role::kUser, question), pending_answer()}};
}

inline std::string text_of(const Message& message) {
  std::string text;
  for (const Part& part : message.parts) {
    if (const auto* known = std::get_if<TextPart>(&part)) text += known->text;
  }
  return text;
}

inline std::vector<std::string> texts_of(const std::vector<Message>& messages) {
  std::vector<std::string> texts;
  for (const Message& message : messages) texts.push_back(text_of(message));
  return texts;
}

// A store in a folder of its own, that can be closed and opened again.
class TestStore {
 public:
  explicit TestStore(const SqliteStoreOptions& options = {}) : options_(options) { open(); }

  void open() { store_ = must(open_sqlite_store(path(), clock, system_random_bytes, options_)); }
  void close() { store_.reset(); }
  std::string path() const { return folder_.path("carat.db"); }
  std::unique_ptr<Store> another() { return must(open_sqlite_store(path(), clock)); }

  Store* operator->() { return store_.get(); }
  Store& operator*() { return *store_; }

  TestWallClock clock;

 private:
  formats::TestFolder folder_;
  SqliteStoreOptions options_;
  std::unique_ptr<Store> store_;
};

}  // namespace carat::store
