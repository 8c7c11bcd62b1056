#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace carat::terminal {

// Pasted text on its way into the input line. Short text goes in as it is, newlines included; for longer
// text, which would fill the screen, a mark stands in the line until it is sent: "[pasted text 1: 120
// lines]".
class PasteBuffer {
 public:
  // What to insert for `text`. Line ends of all systems become '\n'.
  std::string insert(std::string_view text);

  // The line as it is meant: each mark that is still whole replaced by its text. Forgets the pasted texts.
  std::string expand(std::string_view line);

 private:
  struct Paste {
    std::string mark;
    std::string text;
  };
  std::vector<Paste> pastes_;
};

}  // namespace carat::terminal
