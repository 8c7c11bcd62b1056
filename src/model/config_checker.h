#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace carat::model {

// Compares a configuration's fields with their bounds; errors are kInvalidModel and begin with the file.
class ConfigChecker {
 public:
  explicit ConfigChecker(std::string_view file) : file_(file) {}

  Result<> count(std::string_view field, std::size_t value, std::size_t least, std::size_t most) const {
    return within(field, value, least, most);
  }
  // Also refuses NaN.
  Result<> number(std::string_view field, float value, float least, float most) const {
    return within(field, value, least, most);
  }

 private:
  template <class T>
  Result<> within(std::string_view field, T value, T least, T most) const {
    if (value >= least && value <= most) return {};
    return fail(ErrorKind::kInvalidModel, "{}: {}: expected {} to {}, found {}", file_, field, least, most,
                value);
  }

  std::string_view file_;
};

}  // namespace carat::model
