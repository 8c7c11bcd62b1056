#include "planner/report_table.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "planner/precision.h"
#include "planner/weights.h"
#include "tensor/kv_block.h"

namespace carat::planner {
namespace {

using tensor::ElementType;

constexpr double kGB = 1e9;

// The table as printed, in GB.
struct Printed {
  ReportColumn column;
  std::string_view words;
  ElementType type;  // of all matrices
  std::array<double, kReportSizes.size()> weights;
  std::array<double, kReportSizes.size()> with_kv;
};

constexpr std::array<Printed, kReportColumns.size()> kPrinted = {{
    {ReportColumn::kBf16, "bf16", ElementType::kBF16, {2.0, 8.0, 24.0, 54.0}, {2.9, 12.7, 38.9, 72.7}},
    {ReportColumn::kInt4, "int4", ElementType::kInt4, {0.5, 2.6, 6.6, 14.1}, {1.4, 7.3, 21.5, 32.8}},
    {ReportColumn::kInt4Blocks,
     "int4, blocks of 32",
     ElementType::kQ4_0,
     {0.7, 2.9, 7.1, 15.3},
     {1.6, 7.6, 22.0, 34.0}},
    {ReportColumn::kSfp8, "SFP8", ElementType::kSFP8, {1.0, 4.4, 12.4, 27.4}, {1.9, 9.1, 27.3, 46.1}},
}};

// The names of the sizes taken for numbers of parameters.
constexpr std::array<double, kReportSizes.size()> kNominal = {1e9, 4e9, 12e9, 27e9};
constexpr double kVision = 417e6;  // as the report states it

// What the rules count with, in parameters.
struct Counts {
  double nominal = 0;
  double layers = 0;
  double embedding = 0;
  double vision = 0;
};

struct Rule {
  ReportColumn column;
  ReportRule rule;
  double (*bytes)(const Counts&);
};

// Those of one column in the order of how little they assume.
constexpr Rule kRules[] = {
    {ReportColumn::kBf16,
     {"2 bytes a parameter by name, no vision"},
     [](const Counts& n) { return 2 * n.nominal; }},
    {ReportColumn::kInt4, {"4 bits a parameter by name"}, [](const Counts& n) { return 0.5 * n.nominal; }},
    {ReportColumn::kInt4,
     {"4 bits a parameter by name, 0.6 GB for vision", true},
     [](const Counts& n) { return 0.5 * n.nominal + 0.6 * kGB; }},
    {ReportColumn::kInt4Blocks,
     {"4.5 bits a parameter of the layers, 8 of the embedding, no vision"},
     [](const Counts& n) { return 0.5625 * n.layers + n.embedding; }},
    {ReportColumn::kInt4Blocks,
     {"4.5 bits a parameter of the layers, 8 of embedding and vision"},
     [](const Counts& n) { return 0.5625 * n.layers + n.embedding + n.vision; }},
    {ReportColumn::kSfp8,
     {"1 byte a parameter by name and of vision"},
     [](const Counts& n) { return n.nominal + n.vision; }},
};

constexpr double kKvBytesByRule = 12;

bool same_to_a_tenth(double a, double b) { return std::llround(a * 10) == std::llround(b * 10); }

// Numbers that a cache holds which keeps no more than the window of local layers.
double windowed_kv_values(const model::GemmaConfig& config) {
  std::size_t positions = 0;
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    positions += config.is_global(layer) ? kReportContext : std::min(kReportContext, config.sliding_window);
  }
  return static_cast<double>(2 * config.kv_width() * positions);
}

// Every matrix in one type, the embedding too.
TensorTypes all_in(ElementType type) {
  return [type](model::TensorId id, std::size_t) -> std::optional<ElementType> {
    const model::TensorInfo& tensor = model::info(id);
    if (tensor.optional) return std::nullopt;
    return tensor.rows == model::Axis::kOne ? ElementType::kF32 : type;
  };
}

// Without the rows that only pad the embedding, as the report counts.
Counts counts_of(const model::GemmaConfig& config, double nominal) {
  constexpr std::size_t kPieces = 262'144;
  const TextWeights weights = text_weights(config, all_in(ElementType::kBF16));
  return {.nominal = nominal,
          .layers = static_cast<double>(weights.decoder.parameters),
          .embedding = static_cast<double>(std::min(config.vocab, kPieces) * config.d_model),
          .vision = config.vision ? kVision : 0};
}

ReportCell make_cell(std::size_t size_index, const Printed& printed) {
  ReportCell cell{.size = kReportSizes[size_index],
                  .column = printed.column,
                  .reported = printed.weights[size_index],
                  .reported_with_kv = printed.with_kv[size_index]};
  const model::GemmaConfig config = released_config(cell.size);
  const auto gb = [](std::uint64_t bytes) { return static_cast<double>(bytes) / kGB; };
  cell.exact_text = gb(text_weights(config, all_in(printed.type)).total().stored);
  if (config.vision) {
    cell.exact_vision = gb(vision_weights(*config.vision, model::VisionPrecision::kBf16).all.stored);
  }
  const Counts counts = counts_of(config, kNominal[size_index]);
  for (const Rule& rule : kRules) {
    if (rule.column != cell.column || cell.rule) continue;
    const double bytes = rule.bytes(counts) / kGB;
    if (!same_to_a_tenth(bytes, cell.reported)) continue;
    cell.rule = rule.rule;
    cell.by_rule = bytes;
  }
  const double values = windowed_kv_values(config) / kGB;
  cell.kv_16_bit = 2 * values;
  cell.kv_8_bit = values;
  cell.kv_by_rule = kKvBytesByRule * values;
  // Two figures of one decimal each: their difference may be off by a tenth.
  cell.kv_fits_rule = std::abs(cell.reported_with_kv - cell.reported - cell.kv_by_rule) <= 0.1;
  return cell;
}

}  // namespace

std::string_view description_of(ReportColumn column) {
  return kPrinted[static_cast<std::size_t>(column)].words;
}

std::vector<ReportCell> report_table() {
  std::vector<ReportCell> table;
  for (std::size_t size = 0; size < kReportSizes.size(); ++size) {
    for (const Printed& printed : kPrinted) table.push_back(make_cell(size, printed));
  }
  return table;
}

}  // namespace carat::planner
