#pragma once

#include <fmt/format.h>

#include <expected>
#include <string>
#include <utility>

namespace carat {

// What kind of failure an Error is. The command line maps each kind to one documented exit code.
enum class ErrorKind {
  kFailed,           // anything without a kind of its own
  kUsage,            // a wrong flag, setting or argument
  kNotFound,         // the model, or a file named by the user, does not exist
  kInvalidModel,     // the model exists but is damaged, foreign or inconsistent
  kDoesNotFit,       // not enough memory
  kNetwork,          // no connection, or a server that fails or does not keep to the protocol
  kDiskFull,         // no space left while writing
  kInterrupted,      // Ctrl-C
  kClosedPipe,       // the reader of our output went away
  kContextExceeded,  // a prompt that leaves no room for an answer
  kOverloaded,       // too many requests at once: the same one may succeed later
  kPortInUse,        // another program listens there
  kConflict,         // somebody else changed it meanwhile, or it exists already
  kQuota,            // more than this user or key is allowed
  kBusy,             // somebody else is using it: try again later
};

// A failure that is not our own bug: files, flags and requests. The message is one sentence for people that
// names what was wrong, what was expected and, where there is something to do, what to do next.
struct Error {
  ErrorKind kind = ErrorKind::kFailed;
  std::string message;
};

template <class T = void>
using Result = std::expected<T, Error>;

// return fail(ErrorKind::kInvalidModel, "{}: expected {}, found {}", file, expected, found);
template <class... Args>
[[nodiscard]] std::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> format,
                                          Args&&... args) {
  return std::unexpected(Error{kind, fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace carat

#define CARAT_CONCAT_INNER(a, b) a##b
#define CARAT_CONCAT(a, b) CARAT_CONCAT_INNER(a, b)

// CARAT_TRY(auto file, open(path));   declares `file`, or returns open's error from the enclosing function.
#define CARAT_TRY(declaration, expression) \
  CARAT_TRY_INNER(CARAT_CONCAT(carat_try_, __LINE__), declaration, expression)
#define CARAT_TRY_INNER(temporary, declaration, expression)             \
  auto temporary = (expression);                                        \
  if (!temporary) return std::unexpected(std::move(temporary).error()); \
  declaration = std::move(*temporary)

// CARAT_TRY_VOID(write(file));   returns the error of a Result<void>.
#define CARAT_TRY_VOID(expression)                                                      \
  do {                                                                                  \
    auto carat_try_status = (expression);                                               \
    if (!carat_try_status) return std::unexpected(std::move(carat_try_status).error()); \
  } while (false)
