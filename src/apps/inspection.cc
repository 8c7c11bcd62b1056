#include "apps/inspection.h"

#include <boost/json.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/size_text.h"
#include "base/utf8.h"
#include "formats/tensor_directory.h"
#include "tensor/element_type.h"
#include "terminal/printable.h"

namespace carat::apps {
namespace {

namespace json = boost::json;
using formats::TensorEntry;
using model::GemmaConfig;

// The double that prints as shortly as the float does: 1e-6 rather than 9.999999974752427e-7.
double shortest(float value) { return std::stod(fmt::format("{}", value)); }

// The configuration as (name, value), in the order in which it is shown.
std::vector<std::pair<std::string_view, json::value>> config_rows(const GemmaConfig& config) {
  json::array global_layers;
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    if (config.is_global(layer)) global_layers.push_back(layer);
  }
  return {{"name", json::string(replace_invalid_utf8(config.name))},
          {"layers", config.layers},
          {"global_layers", std::move(global_layers)},
          {"d_model", config.d_model},
          {"heads", config.heads},
          {"kv_heads", config.kv_heads},
          {"head_dim", config.head_dim},
          {"ffn", config.ffn},
          {"vocab", config.vocab},
          {"max_context", config.max_context},
          {"sliding_window", config.sliding_window},
          {"norm_epsilon", shortest(config.norm_epsilon)},
          {"rope_theta_local", shortest(config.rope_theta_local)},
          {"rope_theta_global", shortest(config.rope_theta_global)},
          {"rope_factor_global", shortest(config.rope_factor_global)},
          {"query_scale", shortest(config.query_scale)},
          {"instruction_tuned", config.instruction_tuned},
          {"instruction_tuned_source", json::string(replace_invalid_utf8(config.instruction_tuned_source))},
          {"has_vision", config.vision.has_value()}};
}

std::string shown(const json::value& value) {
  if (value.is_string()) return terminal::printable_line(std::string_view(value.get_string()));
  return value.is_double() ? fmt::format("{}", value.get_double()) : json::serialize(value);
}

std::uint64_t values_in(const TensorEntry& entry) {
  std::uint64_t values = 1;
  for (const std::uint64_t extent : entry.shape)
    values *= extent;  // bounded by the file's size when it was read
  return values;
}

struct Totals {
  std::size_t tensors = 0;
  std::uint64_t values = 0;
  std::uint64_t bytes = 0;

  void add(const TensorEntry& entry) {
    ++tensors;
    values += values_in(entry);
    bytes += entry.bytes;
  }
};

std::map<std::string_view, Totals> totals_by_type(const std::vector<TensorEntry>& entries) {
  std::map<std::string_view, Totals> totals;
  for (const TensorEntry& entry : entries) totals[tensor::info(entry.type).name].add(entry);
  return totals;
}

Totals total(const std::vector<TensorEntry>& entries) {
  Totals all;
  for (const TensorEntry& entry : entries) all.add(entry);
  return all;
}

// One line of at most `most` bytes: a file may name its tensors as it likes.
std::string bounded(const std::string& text, std::size_t most) {
  std::string line = terminal::printable_line(text);
  if (line.size() <= most) return line;
  return terminal::printable_line(line.substr(0, most - 3)) + "...";
}

constexpr std::size_t kMostNameBytes = 80;
constexpr std::size_t kMostShapeBytes = 40;

// The widest of some texts, for a column.
template <class Text>
std::size_t column_width(const std::vector<TensorEntry>& entries, Text text) {
  std::size_t width = 0;
  for (const TensorEntry& entry : entries) width = std::max(width, text(entry).size());
  return width + 2;
}

}  // namespace

std::string inspection_text(const model::Checkpoint& checkpoint) {
  const std::vector<TensorEntry>& entries = checkpoint.files().entries();
  std::string out = fmt::format("{:<26}{}\n", "path", terminal::printable_line(checkpoint.path()));
  for (const auto& [name, value] : config_rows(checkpoint.config())) {
    out += fmt::format("{:<26}{}\n", name, shown(value));
  }
  const Totals all = total(entries);
  out += fmt::format("\n{:<10}{:>9}{:>16}{:>14}\n", "type", "tensors", "parameters", "size");
  for (const auto& [type, sum] : totals_by_type(entries)) {
    out += fmt::format("{:<10}{:>9}{:>16}{:>14}\n", type, sum.tensors, sum.values, file_size_text(sum.bytes));
  }
  out += fmt::format("{:<10}{:>9}{:>16}{:>14}\n", "all", all.tensors, all.values, file_size_text(all.bytes));
  out += fmt::format("{:<10}{:>39}\n\n", "files", file_size_text(checkpoint.files().file_bytes()));
  const auto name_of = [](const TensorEntry& entry) { return bounded(entry.name, kMostNameBytes); };
  const auto shape_of = [](const TensorEntry& entry) {
    return bounded(formats::shape_text(entry.shape), kMostShapeBytes);
  };
  const std::size_t name_width = column_width(entries, name_of);
  const std::size_t shape_width = column_width(entries, shape_of);
  for (const TensorEntry& entry : entries) {
    out += fmt::format("{:<{}}{:<8}{:<{}}{:>14} bytes\n", name_of(entry), name_width,
                       tensor::info(entry.type).name, shape_of(entry), shape_width, entry.bytes);
  }
  return out;
}

std::string inspection_json(const model::Checkpoint& checkpoint) {
  json::object config;
  for (auto& [name, value] : config_rows(checkpoint.config())) config[name] = std::move(value);
  json::array tensors;
  for (const TensorEntry& entry : checkpoint.files().entries()) {
    tensors.push_back(json::object{{"name", replace_invalid_utf8(entry.name)},
                                   {"type", tensor::info(entry.type).name},
                                   {"shape", json::value_from(entry.shape)},
                                   {"bytes", entry.bytes}});
  }
  const Totals all = total(checkpoint.files().entries());
  return json::serialize(json::object{{"path", replace_invalid_utf8(checkpoint.path())},
                                      {"config", std::move(config)},
                                      {"parameters", all.values},
                                      {"tensor_bytes", all.bytes},
                                      {"file_bytes", checkpoint.files().file_bytes()},
                                      {"tensors", std::move(tensors)}}) +
         "\n";
}

}  // namespace carat::apps
