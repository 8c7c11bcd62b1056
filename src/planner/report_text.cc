#include <fmt/format.h>

#include <boost/json.hpp>

#include "planner/report_table.h"

namespace carat::planner {
namespace {

std::string rule_words(const ReportCell& cell) {
  if (!cell.rule) return "no rule explains it";
  return fmt::format("{:.2f}: {}{}", cell.by_rule, cell.rule->words,
                     cell.rule->has_odd_constant ? " (0.6 GB unexplained)" : "");
}

}  // namespace

std::string report_text(const std::vector<ReportCell>& table) {
  std::string text =
      "Memory by the Gemma 3 report (table 3), beside exact bytes. GB of 10^9 bytes; exact: stored text "
      "model,\n"
      "+ image tower and projector in bf16; rule: what gives the reported figure to its last digit;\n"
      "by name: 4B has 4 * 10^9 parameters.\n\n";
  text += fmt::format("{:<5}{:<20}{:>9}{:>8}{:>8}  {}\n", "size", "precision", "reported", "exact", "+tower",
                      "best-known rule");
  for (const ReportCell& cell : table) {
    const std::string tower =
        cell.exact_vision > 0 ? fmt::format("{:.2f}", cell.exact_text + cell.exact_vision) : "-";
    text += fmt::format("{:<5}{:<20}{:>9.1f}{:>8.2f}{:>8}  {}\n", name_of(cell.size),
                        description_of(cell.column), cell.reported, cell.exact_text, tower, rule_words(cell));
  }
  text += fmt::format(
      "\nWith the KV cache of {} tokens. reported: what the report adds for it; window: what a cache needs "
      "that\n"
      "keeps only the window of local layers, of 16-bit and 8-bit numbers; x12: 12 bytes for each such "
      "number.\n\n",
      kReportContext);
  text += fmt::format("{:<5}{:<20}{:>9}{:>9}{:>9}{:>8}{:>8}  {}\n", "size", "precision", "with KV",
                      "reported", "window16", "window8", "x12", "");
  for (const ReportCell& cell : table) {
    text += fmt::format("{:<5}{:<20}{:>9.1f}{:>9.1f}{:>9.2f}{:>8.2f}{:>8.2f}  {}\n", name_of(cell.size),
                        description_of(cell.column), cell.reported_with_kv,
                        cell.reported_with_kv - cell.reported, cell.kv_16_bit, cell.kv_8_bit, cell.kv_by_rule,
                        cell.kv_fits_rule ? "x12 (factor unexplained)" : "no rule explains it");
  }
  text +=
      "\nThe report's caption speaks of a cache of 8 bits, and its figures follow the sliding windows, but "
      "they are\n"
      "12 times such a cache, in every column and at every size, for no reason that the report gives. Size "
      "memory\n"
      "by the window columns: 27B in bf16 with a 16-bit cache needs 57.1 GB without vision, not 72.7.\n"
      "No single rule explains all sizes of int4 in blocks of 32, and none the 15.3 GB of 27B.\n";
  return text;
}

std::string report_json(const std::vector<ReportCell>& table) {
  boost::json::array cells;
  for (const ReportCell& cell : table) {
    boost::json::object object{{"size", std::string(name_of(cell.size))},
                               {"precision", std::string(description_of(cell.column))},
                               {"reported_gb", cell.reported},
                               {"reported_with_kv_gb", cell.reported_with_kv},
                               {"exact_text_gb", cell.exact_text},
                               {"exact_vision_gb", cell.exact_vision},
                               {"kv_16_bit_gb", cell.kv_16_bit},
                               {"kv_8_bit_gb", cell.kv_8_bit},
                               {"kv_by_rule_gb", cell.kv_by_rule},
                               {"kv_fits_rule", cell.kv_fits_rule},
                               {"rule", nullptr}};
    if (cell.rule) {
      object["rule"] = {{"words", std::string(cell.rule->words)},
                        {"gb", cell.by_rule},
                        {"has_odd_constant", cell.rule->has_odd_constant}};
    }
    cells.push_back(std::move(object));
  }
  return boost::json::serialize(
             boost::json::object{{"context", kReportContext}, {"cells", std::move(cells)}}) +
         "\n";
}

}  // namespace carat::planner
