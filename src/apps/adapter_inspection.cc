#include "apps/adapter_inspection.h"

#include <boost/json.hpp>

#include <algorithm>
#include <set>
#include <string_view>

#include "base/sha256.h"
#include "model/tensor_table.h"
#include "tensor/element_type.h"
#include "terminal/printable.h"

namespace carat::apps {
namespace {

namespace json = boost::json;
using model::AdapterEntry;
using model::AdapterFile;

std::string_view format_name(const AdapterFile& adapter) {
  return adapter.format() == model::AdapterFormat::kPeft ? "PEFT" : "GGUF";
}

std::set<std::size_t> ranks_of(const AdapterFile& adapter) {
  std::set<std::size_t> ranks;
  for (const AdapterEntry& entry : adapter.entries()) ranks.insert(entry.rank());
  return ranks;
}

std::set<std::size_t> layers_of(const AdapterFile& adapter) {
  std::set<std::size_t> layers;
  for (const AdapterEntry& entry : adapter.entries()) layers.insert(entry.layer);
  return layers;
}

std::uint64_t parameters_of(const AdapterFile& adapter) {
  std::uint64_t parameters = 0;
  for (const AdapterEntry& entry : adapter.entries()) {
    parameters += entry.rank() * (entry.down.columns + entry.up.rows);
  }
  return parameters;
}

}  // namespace

Result<std::string> adapter_text(const AdapterFile& adapter) {
  CARAT_TRY(const Sha256Digest hash, adapter.content_hash());
  const model::AdapterConfig& config = adapter.config();
  std::string out;
  const auto row = [&out](std::string_view name, std::string_view value) {
    out += fmt::format("{:<26}{}\n", name, terminal::printable_line(value));
  };
  row("path", adapter.path());
  row("kind", "LoRA adapter, to be applied with --lora");
  row("format", format_name(adapter));
  row("base_model", config.base_model);
  row("id", to_hex(hash));
  row("alpha", fmt::format("{}", config.alpha));
  row("rank_stabilized", config.rank_stabilized ? "true" : "false");
  row("ranks", json::serialize(json::value_from(ranks_of(adapter))));
  row("layers", json::serialize(json::value_from(layers_of(adapter))));
  row("parameters", fmt::format("{}", parameters_of(adapter)));
  row("file_bytes", fmt::format("{}", adapter.file_bytes()));
  out += fmt::format("\n{:>5} {:<12}{:>6}{:>10}  {:<16}{}\n", "layer", "matrix", "rank", "scale", "shape",
                     "type");
  for (const AdapterEntry& entry : adapter.entries()) {
    out += fmt::format("{:>5} {:<12}{:>6}{:>10.5g}  {:<16}{}\n", entry.layer, model::info(entry.id).name,
                       entry.rank(), entry.scale, fmt::format("[{}, {}]", entry.up.rows, entry.down.columns),
                       tensor::info(entry.down.type).name);
  }
  return out;
}

Result<std::string> adapter_json(const AdapterFile& adapter) {
  CARAT_TRY(const Sha256Digest hash, adapter.content_hash());
  const model::AdapterConfig& config = adapter.config();
  json::array matrices;
  for (const AdapterEntry& entry : adapter.entries()) {
    matrices.push_back(json::object{{"layer", entry.layer},
                                    {"matrix", model::info(entry.id).name},
                                    {"rank", entry.rank()},
                                    {"scale", entry.scale},
                                    {"rows", entry.up.rows},
                                    {"columns", entry.down.columns},
                                    {"type", tensor::info(entry.down.type).name}});
  }
  return json::serialize(json::object{{"path", adapter.path()},
                                      {"kind", "lora"},
                                      {"format", format_name(adapter)},
                                      {"base_model", config.base_model},
                                      {"id", to_hex(hash)},
                                      {"alpha", config.alpha},
                                      {"rank_stabilized", config.rank_stabilized},
                                      {"parameters", parameters_of(adapter)},
                                      {"file_bytes", adapter.file_bytes()},
                                      {"matrices", std::move(matrices)}}) +
         "\n";
}

}  // namespace carat::apps
