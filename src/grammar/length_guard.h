#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/length_rules.h"

namespace carat::grammar {

// Length rules, and the text behind which each JSON value begins; without one the answer is one value.
struct GuardRules {
  LengthRules lengths;
  std::string trigger;

  bool empty() const { return lengths.empty(); }
};

// Follows an answer byte by byte, which a grammar keeps to be JSON, and counts the characters of strings that
// have limits. A character is a Unicode code point, as JSON schema counts them.
class LengthGuard {
 public:
  explicit LengthGuard(std::shared_ptr<const GuardRules> rules);

  // Whether the answer may go on with these bytes. After a false it must not be used any more.
  bool accept(std::string_view bytes);

  // In a string outside of an escape: how many more characters it may have; nullopt elsewhere. Without a
  // limit that is a very large number.
  std::optional<std::size_t> characters_left() const;

 private:
  enum class Mode : std::uint8_t { kText, kValue, kString, kKey };
  struct Frame {
    std::uint32_t state = LengthRules::kFree;
    bool is_object = false;
    std::size_t index = 0;  // of an array's element
  };

  bool step(unsigned char byte);
  bool step_string(unsigned char byte);
  void step_key(unsigned char byte);
  void step_value(unsigned char byte);
  void step_text(unsigned char byte);
  void begin_value();
  void end_value();
  const LengthRules::State& state(std::uint32_t id) const { return rules_->lengths.states[id]; }

  std::shared_ptr<const GuardRules> rules_;
  Mode mode_ = Mode::kValue;
  bool expects_key_ = false;
  std::uint32_t next_ = LengthRules::kFree;  // the state of the value that comes or is being written
  std::vector<Frame> stack_;
  std::size_t count_ = 0;   // characters of the string so far
  std::size_t escape_ = 0;  // bytes of an escape still to come; more than one only after \u
  bool after_backslash_ = false;
  std::string key_;
  std::size_t matched_ = 0;  // bytes of the trigger
};

}  // namespace carat::grammar
