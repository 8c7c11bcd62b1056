#include "planner/plan_text.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/size_text.h"

namespace carat::planner {
namespace {

std::string largest_text(const FitReport& report) {
  const auto or_none = [](const auto& found, const auto& text) {
    return found ? std::string(text(*found)) : std::string("none");
  };
  std::string text = "largest that fits, all else as asked for:\n";
  text += fmt::format("  context    {}\n", or_none(report.context, [](std::size_t context) {
                        return fmt::format("{} tokens", context);
                      }));
  text += fmt::format("  users      {}\n",
                      or_none(report.users, [](std::size_t users) { return fmt::format("{}", users); }));
  text += fmt::format("  precision  {}\n", or_none(report.precision, [](Precision precision) {
                        return fmt::format("{} ({})", name_of(precision), description_of(precision));
                      }));
  return text;
}

boost::json::value number_or_null(const std::optional<std::size_t>& number) {
  return number ? boost::json::value(*number) : boost::json::value(nullptr);
}

}  // namespace

std::string plan_text(const PlanSubject& subject, const FitReport& report) {
  std::string text = fmt::format(
      "{}, {}: {} tokens of context{}\n\n", subject.model, subject.precision, report.request.context_length,
      report.request.users == 1 ? "" : fmt::format(" for each of {} users", report.request.users));
  for (std::size_t i = 0; i < kPlanItemCount; ++i) {
    const auto item = static_cast<PlanItem>(i);
    if (report.plan.of(item) == 0) continue;
    text += fmt::format("  {:<28}{:>12}\n", description_of(item), memory_size_text(report.plan.of(item)));
  }
  text += fmt::format("  {:<28}{:>12}  ({})\n\n", "in all", memory_size_text(report.plan.total()),
                      file_size_text(report.plan.total()));
  text += fmt::format("{}: {} has {} ({})\n", report.fits ? "fits" : "does not fit", subject.place,
                      memory_size_text(report.memory), file_size_text(report.memory));
  return text + largest_text(report);
}

std::string plan_json(const PlanSubject& subject, const FitReport& report) {
  boost::json::object items;
  for (std::size_t i = 0; i < kPlanItemCount; ++i) {
    const auto item = static_cast<PlanItem>(i);
    items[name_of(item)] = report.plan.of(item);
  }
  boost::json::object largest{{"context", number_or_null(report.context)},
                              {"users", number_or_null(report.users)},
                              {"precision", nullptr}};
  if (report.precision) largest["precision"] = std::string(name_of(*report.precision));
  const boost::json::object object{{"model", subject.model},
                                   {"precision", subject.precision},
                                   {"context", report.request.context_length},
                                   {"users", report.request.users},
                                   {"bytes", std::move(items)},
                                   {"total_bytes", report.plan.total()},
                                   {"place", subject.place},
                                   {"memory_bytes", report.memory},
                                   {"fits", report.fits},
                                   {"largest", std::move(largest)}};
  return boost::json::serialize(object) + "\n";
}

}  // namespace carat::planner
