#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/released.h"

namespace carat::planner {

// The columns of the memory table in the Gemma 3 report (arXiv:2503.19786, table 3).
enum class ReportColumn : std::uint8_t { kBf16, kInt4, kInt4Blocks, kSfp8 };
inline constexpr std::array<ReportColumn, 4> kReportColumns = {
    ReportColumn::kBf16, ReportColumn::kInt4, ReportColumn::kInt4Blocks, ReportColumn::kSfp8};
inline constexpr std::array<ReleasedSize, 4> kReportSizes = {ReleasedSize::k1B, ReleasedSize::k4B,
                                                             ReleasedSize::k12B, ReleasedSize::k27B};
// Tokens of the report's cache.
inline constexpr std::size_t kReportContext = 32'768;

std::string_view description_of(ReportColumn column);

// A rule that somebody could have counted a cell by.
struct ReportRule {
  std::string_view words;
  bool has_odd_constant = false;  // one that nothing in the report explains
};

// All in GB of 10^9 bytes.
struct ReportCell {
  ReleasedSize size;
  ReportColumn column;
  double reported = 0;          // weights
  double reported_with_kv = 0;  // and the cache at kReportContext
  double exact_text = 0;        // stored bytes of the text model
  double exact_vision = 0;      // of image tower and projector in bf16, 0: there is none
  double kv_16_bit = 0;         // what the sliding windows leave of a cache of 16-bit numbers, one user
  double kv_8_bit = 0;          // of 8-bit numbers, as the report's caption says

  // The first rule of the column that gives the reported figure to its last digit; nullopt: none does.
  std::optional<ReportRule> rule = {};
  double by_rule = 0;
  // The cache by the one rule that fits all cells: 12 bytes for each number that the windows leave.
  double kv_by_rule = 0;
  bool kv_fits_rule = false;  // within the rounding of both figures
};

// Size by size, each in the order of kReportColumns.
std::vector<ReportCell> report_table();

// The table for people, and what follows from it.
std::string report_text(const std::vector<ReportCell>& table);
std::string report_json(const std::vector<ReportCell>& table);

}  // namespace carat::planner
