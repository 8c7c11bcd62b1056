#include "terminal/history_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/output_file.h"
#include "base/text_file.h"

namespace carat::terminal {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;

std::string escaped(std::string_view entry) {
  std::string out;
  for (const char c : entry) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::string unescaped(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\' || i + 1 == line.size()) {
      out += line[i];
      continue;
    }
    ++i;
    out += line[i] == 'n' ? '\n' : line[i];
  }
  return out;
}

std::vector<std::string> entries_of(std::string_view text) {
  std::vector<std::string> entries;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.size() <= 2 * HistoryFile::kMaxEntryBytes) entries.push_back(unescaped(line));
  }
  return entries;
}

}  // namespace

Result<std::vector<std::string>> HistoryFile::load() const {
  auto text = read_text_file(path_, kMaxFileBytes);
  if (!text && text.error().kind == ErrorKind::kNotFound) return std::vector<std::string>();
  if (!text) return std::unexpected(std::move(text).error());
  std::vector<std::string> entries = entries_of(*text);
  if (entries.size() <= kMaxEntries) return entries;

  const bool rewrite = entries.size() > 2 * kMaxEntries;  // not at every start
  entries.erase(entries.begin(), entries.end() - static_cast<std::ptrdiff_t>(kMaxEntries));
  if (rewrite) {
    std::string shorter;
    for (const std::string& entry : entries) shorter += escaped(entry) + '\n';
    CARAT_TRY_VOID(write_file(path_, shorter, OutputFile::Access::kPrivate));
  }
  return entries;
}

Result<> HistoryFile::append(std::string_view entry) const {
  if (entry.empty() || entry.size() > kMaxEntryBytes) return {};
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  if (std::filesystem::create_directories(folder, error)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  const int descriptor = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return std::unexpected(write_error(path_, errno));
  // The file may be an older one with a looser mode.
  const bool made_private = ::fchmod(descriptor, 0600) == 0;
  const int chmod_errno = errno;
  Result<> written = made_private ? write_all(descriptor, path_, escaped(entry) + '\n')
                                  : Result<>(std::unexpected(write_error(path_, chmod_errno)));
  ::close(descriptor);
  return written;
}

}  // namespace carat::terminal
