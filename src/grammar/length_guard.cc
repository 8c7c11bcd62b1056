#include "grammar/length_guard.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace carat::grammar {
namespace {

constexpr std::size_t kLongestKey = 4096;  // longer ones are no member's: schemas are smaller
constexpr std::size_t kHexDigits = 4;

}  // namespace

LengthGuard::LengthGuard(std::shared_ptr<const GuardRules> rules)
    : rules_(std::move(rules)),
      mode_(rules_->trigger.empty() ? Mode::kValue : Mode::kText),
      next_(rules_->lengths.root) {}

bool LengthGuard::accept(std::string_view bytes) {
  return std::ranges::all_of(bytes, [&](char c) { return step(static_cast<unsigned char>(c)); });
}

std::optional<std::size_t> LengthGuard::characters_left() const {
  if (mode_ != Mode::kString || after_backslash_ || escape_ > 0) return std::nullopt;
  const auto& most = state(next_).most;
  return most ? *most - count_ : std::numeric_limits<std::size_t>::max();
}

bool LengthGuard::step(unsigned char byte) {
  switch (mode_) {
    case Mode::kString: return step_string(byte);
    case Mode::kKey: step_key(byte); break;
    case Mode::kValue: step_value(byte); break;
    case Mode::kText: step_text(byte); break;
  }
  return true;
}

bool LengthGuard::step_string(unsigned char byte) {
  if (escape_ > 0) {
    --escape_;
    return true;
  }
  if (after_backslash_) {
    after_backslash_ = false;
    escape_ = byte == 'u' ? kHexDigits : 0;
    return true;
  }
  if (byte == '"') {
    const bool long_enough = count_ >= state(next_).least;
    end_value();
    return long_enough;
  }
  after_backslash_ = byte == '\\';
  const bool continues = (byte & 0xC0U) == 0x80U;  // a later byte of a UTF-8 character
  if (!continues) ++count_;
  return count_ <= state(next_).most.value_or(std::numeric_limits<std::uint32_t>::max());
}

void LengthGuard::step_key(unsigned char byte) {
  if (after_backslash_) {
    after_backslash_ = false;
  } else if (byte == '"') {
    mode_ = Mode::kValue;
    const LengthRules::State& object = state(stack_.back().state);
    const auto member =
        std::ranges::find(object.members, key_, &std::pair<std::string, std::uint32_t>::first);
    next_ = member != object.members.end() ? member->second : object.other_members;
    expects_key_ = false;
    return;
  } else {
    after_backslash_ = byte == '\\';
  }
  if (key_.size() < kLongestKey) key_ += static_cast<char>(byte);
}

void LengthGuard::step_value(unsigned char byte) {
  switch (byte) {
    case '"':
      key_.clear();
      count_ = 0;
      mode_ = expects_key_ ? Mode::kKey : Mode::kString;
      break;
    case '{':
      stack_.push_back({next_, true});
      expects_key_ = true;
      break;
    case '[':
      stack_.push_back({next_, false});
      begin_value();
      break;
    case ',':
      if (stack_.empty()) break;
      if (stack_.back().is_object) {
        expects_key_ = true;
      } else {
        ++stack_.back().index;
        begin_value();
      }
      break;
    case '}':
    case ']':
      if (!stack_.empty()) stack_.pop_back();
      end_value();
      break;
    default: break;  // a colon, or part of a number or word
  }
}

// The element of an array that comes.
void LengthGuard::begin_value() {
  const Frame& array = stack_.back();
  const LengthRules::State& rules = state(array.state);
  next_ = array.index < rules.prefix.size() ? rules.prefix[array.index] : rules.items;
  expects_key_ = false;
}

void LengthGuard::end_value() {
  mode_ = Mode::kValue;
  expects_key_ = false;
  if (!stack_.empty() || rules_->trigger.empty()) return;
  mode_ = Mode::kText;
  matched_ = 0;
}

// Triggers are short, so falling back is a plain search for a shorter beginning.
void LengthGuard::step_text(unsigned char byte) {
  const std::string_view trigger = rules_->trigger;
  std::string seen(trigger.substr(0, matched_));
  seen += static_cast<char>(byte);
  matched_ = std::min(seen.size(), trigger.size());
  while (matched_ > 0 && !std::string_view(seen).ends_with(trigger.substr(0, matched_))) --matched_;
  if (matched_ < trigger.size()) return;
  mode_ = Mode::kValue;
  next_ = rules_->lengths.root;
  matched_ = 0;
}

}  // namespace carat::grammar
