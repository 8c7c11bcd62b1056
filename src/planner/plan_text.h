#pragma once

#include <string>
#include <string_view>

#include "planner/fit.h"

namespace carat::planner {

// What a plan is about, for its heading.
struct PlanSubject {
  std::string model;      // name or path
  std::string precision;  // "as stored", "int4 in blocks of 32"
  std::string place;      // "this machine", "l4-24g (24 GB)"
};

std::string plan_text(const PlanSubject& subject, const FitReport& report);
std::string plan_json(const PlanSubject& subject, const FitReport& report);

}  // namespace carat::planner
