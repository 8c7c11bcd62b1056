#pragma once

#include <optional>
#include <string>

#include "quantize/quantize_model.h"

namespace carat::apps {

struct PerplexityChange {
  std::optional<double> before;
  std::optional<double> after;
};

// A table of tensors where their errors were measured, then sizes and perplexities.
std::string quantize_text(const quantize::QuantizeReport& report, const quantize::QuantizeOptions& options,
                          const PerplexityChange& change);
std::string quantize_json(const quantize::QuantizeReport& report, const quantize::QuantizeOptions& options,
                          const PerplexityChange& change);

}  // namespace carat::apps
