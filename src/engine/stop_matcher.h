#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace carat::engine {

// Finds the first of several stop strings in text that arrives in parts, and holds back what may yet turn out
// to be the start of one. The first is the one that is complete first; among those that are complete at the
// same byte it is the longest. How the text was split makes no difference.
class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {}  // none of them empty

  // Takes complete UTF-8 and returns what may be shown: everything before a stop string, always whole
  // characters. Once stopped() nothing more may be added.
  std::string add(std::string_view text);

  // The text ended: returns what was held back.
  std::string finish();

  bool stopped() const { return stopped_; }
  const std::string& stop_string() const { return stop_string_; }  // the one that was found

 private:
  std::vector<std::string> stops_;
  std::string held_;
  std::string stop_string_;
  bool stopped_ = false;
};

}  // namespace carat::engine
