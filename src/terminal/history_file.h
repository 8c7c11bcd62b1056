#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace carat::terminal {

// What a person typed in earlier sessions: a text file with one entry a line, readable by its owner alone.
// Newlines and backslashes in an entry are written as \n and \\.
class HistoryFile {
 public:
  static constexpr std::size_t kMaxEntries = 1000;
  static constexpr std::size_t kMaxEntryBytes = 16 * 1024;  // longer ones, such as pasted files, are not kept

  explicit HistoryFile(std::string path) : path_(std::move(path)) {}

  // The last kMaxEntries, oldest first; none when there is no file. Shortens a file that has grown too long.
  Result<std::vector<std::string>> load() const;

  // Adds one entry at the end, in one write, so that two sessions do not disturb each other.
  Result<> append(std::string_view entry) const;

 private:
  std::string path_;
};

}  // namespace carat::terminal
