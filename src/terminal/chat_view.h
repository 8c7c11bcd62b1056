#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/settings.h"
#include "prompt/image.h"
#include "prompt/message.h"
#include "session/turn_runner.h"
#include "terminal/command.h"

namespace carat::terminal {

// The person's side of a chat: a terminal, or a scripted one in tests.
class Console {
 public:
  struct Line {
    enum Kind { kText, kInterrupted, kEnd };  // kInterrupted: Ctrl-C; kEnd: Ctrl-D or a closed terminal
    Kind kind = kText;
    std::string text;    // kText
    bool empty = false;  // kInterrupted: there was nothing in the line
  };
  virtual ~Console() = default;
  virtual Line read_line() = 0;
  virtual void remember(const std::string& text) = 0;  // for recalling it with the arrow keys
  virtual Result<> print(std::string_view text) = 0;   // filters control characters
  // A step of something long, such as "reading the prompt".
  virtual void show_progress(std::string_view what, std::size_t done, std::size_t total) = 0;
  virtual std::stop_token next_interrupt() = 0;  // stops at the next Ctrl-C
};

// Decodes the picture in a file, for /image.
using LoadImage = std::function<Result<prompt::Image>(const std::string& path, const std::stop_token& stop)>;

struct ChatOptions {
  std::string greeting;              // printed at the start
  config::Settings settings;         // system prompt, sampling, statistics
  LoadImage load_image = {};         // empty: the model is text-only
  std::size_t tokens_per_view = {};  // that a picture takes in the context, and again for each crop
};

// A chat until the person leaves: reads lines, obeys commands, streams answers.
class ChatView {
 public:
  ChatView(session::TurnRunner& runner, Console& console, ChatOptions options);

  // kInterrupted when the person left with Ctrl-C twice, the console's error when printing fails. What goes
  // wrong with a message or a command is printed, and the chat goes on.
  Result<> run();

 private:
  Result<bool> obey(const std::string& line);  // false: leave
  Result<> run_command(const Command& command);
  Result<> send(std::string text);
  Result<> retry();
  Result<> answer_last();
  Result<> reset();
  Result<> show_or_set(const std::string& argument);
  Result<> set_system(const std::string& argument);
  Result<> save(const std::string& path);
  Result<> load(const std::string& path);
  Result<> attach(const std::string& path);
  Result<> attach_image(const std::string& path);
  Result<> set_crops(const std::string& argument);
  Result<> print_stats();

  session::TurnRunner& runner_;
  Console& console_;
  ChatOptions options_;
  const config::Settings initial_settings_;  // what "/set NAME default" goes back to
  std::string system_;
  std::vector<prompt::Message> messages_;  // user and assistant in turn, without the system prompt
  std::string attached_;                   // files that go with the next message
  std::vector<prompt::Image> images_;      // likewise
  bool crops_ = false;                     // of the pictures to come
  std::optional<engine::GenerationResult> last_;
};

}  // namespace carat::terminal
