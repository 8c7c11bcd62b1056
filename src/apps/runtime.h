#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "apps/interrupts.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/directories.h"
#include "config/settings.h"

namespace carat::apps {

// What every command works with.
struct Runtime {
  config::Settings settings;
  config::Directories directories;
  Interrupts& interrupts;
  const Clock& clock;
};

// Writes to standard output at once; kClosedPipe and kDiskFull as the system says. To a terminal go no
// control characters but newlines and tabs: use it for all text that a model or a file had a part in.
Result<> print(std::string_view text);

// A remark on standard error: one line, without control characters, cut where it is longer than a screen.
void note(std::string_view text);

bool output_is_terminal();
bool input_is_terminal();

// Redraws a progress line on standard error; empty where that is no terminal.
std::function<void(std::string_view)> progress_writer();

// All of standard input, as valid UTF-8; says so when something had to be replaced, or when it waits for a
// person. kFailed beyond 64 MiB, kInterrupted on Ctrl-C.
Result<std::string> read_text_from_input(const Runtime& runtime);

}  // namespace carat::apps
