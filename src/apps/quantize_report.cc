#include "apps/quantize_report.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/size_text.h"
#include "tensor/element_type.h"

namespace carat::apps {

std::string quantize_text(const quantize::QuantizeReport& report, const quantize::QuantizeOptions& options,
                          const PerplexityChange& change) {
  std::string text;
  if (options.measure_error) {
    text += fmt::format("{:<48} {:>6} {:>6} {:>14}\n", "tensor", "from", "to", "relative error");
    for (const quantize::TensorReport& tensor : report.tensors) {
      if (tensor.from == tensor.to) continue;
      text += fmt::format("{:<48} {:>6} {:>6} {:>14.6f}\n", tensor.name, tensor::info(tensor.from).name,
                          tensor::info(tensor.to).name, tensor.relative_error);
    }
  }
  if (change.before && change.after) {
    text += fmt::format("perplexity {:.4f} before, {:.4f} after ({:+.2f}%)\n", *change.before, *change.after,
                        100.0 * (*change.after / *change.before - 1.0));
  }
  text += fmt::format("{}: {}, {} from {}\n", options.output, quantize::info(options.precision).words,
                      file_size_text(report.output_bytes), file_size_text(report.source_bytes));
  return text;
}

std::string quantize_json(const quantize::QuantizeReport& report, const quantize::QuantizeOptions& options,
                          const PerplexityChange& change) {
  boost::json::array tensors;
  for (const quantize::TensorReport& tensor : report.tensors) {
    boost::json::object row = {{"name", tensor.name},
                               {"from", tensor::info(tensor.from).name},
                               {"to", tensor::info(tensor.to).name},
                               {"values", tensor.values}};
    if (options.measure_error) row["relative_error"] = tensor.relative_error;
    tensors.push_back(std::move(row));
  }
  boost::json::object root = {{"output", options.output},
                              {"precision", quantize::info(options.precision).name},
                              {"source_bytes", report.source_bytes},
                              {"output_bytes", report.output_bytes},
                              {"remarks", boost::json::array(report.remarks.begin(), report.remarks.end())},
                              {"tensors", std::move(tensors)}};
  if (change.before && change.after) {
    root["perplexity"] = {{"before", *change.before}, {"after", *change.after}};
  }
  return boost::json::serialize(root) + "\n";
}

}  // namespace carat::apps
