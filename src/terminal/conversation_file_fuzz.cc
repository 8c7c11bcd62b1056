// Any text as a saved conversation: what can be read is written back, and reads as the same again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "terminal/conversation_file.h"

using namespace carat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto read = terminal::conversation_from_json("fuzz", text);
  if (!read) return 0;
  for (std::size_t i = 0; i < read->messages.size(); ++i) {
    const bool is_answer = read->messages[i].role == prompt::Role::kAssistant;
    CARAT_CHECK(is_answer == (i % 2 == 1));
    CARAT_CHECK(is_answer || read->messages[i].generated_ids.empty());
  }
  const std::string written = terminal::to_json(*read);
  const auto again = terminal::conversation_from_json("fuzz", written);
  CARAT_CHECK(again.has_value());
  CARAT_CHECK(terminal::to_json(*again) == written);
  return 0;
}
