#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"

namespace carat::terminal {

// Line editing with history on the terminal at descriptors 0 and 1. Pasted text may have several lines. Text
// is UTF-8; the process's LC_CTYPE must be a UTF-8 locale for the cursor to stand where it belongs.
class LineEditor {
 public:
  struct Line {
    enum Kind { kText, kInterrupted, kEnd };
    Kind kind = kText;
    std::string text;  // of kText the line, of kInterrupted what had been typed
  };

  // kFailed when the terminal cannot be used. `history` is offered to the arrow keys, oldest first.
  static Result<std::unique_ptr<LineEditor>> create(const std::string& prompt,
                                                    const std::vector<std::string>& history);
  virtual ~LineEditor() = default;

  // Reads a line; gives up with kInterrupted when `interrupt` is requested. kEnd: Ctrl-D in an empty line, or
  // the terminal is gone.
  virtual Line read(std::stop_token interrupt) = 0;

  virtual void add_history(const std::string& line) = 0;
};

}  // namespace carat::terminal
