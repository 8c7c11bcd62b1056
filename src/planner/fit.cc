#include "planner/fit.h"

#include <algorithm>

#include "base/checked_math.h"
#include "base/size_text.h"
#include "tensor/kv_block.h"

namespace carat::planner {
namespace {

// The largest n in [1, most] for which fits(n), given that it holds for all below one that it holds for.
template <class Fits>
std::optional<std::size_t> largest(std::size_t most, const Fits& fits) {
  if (most == 0 || !fits(1)) return std::nullopt;
  std::size_t good = 1;
  std::size_t beyond = most + 1;
  while (beyond - good > 1) {
    const std::size_t middle = good + (beyond - good) / 2;
    (fits(middle) ? good : beyond) = middle;
  }
  return good;
}

std::string advice(const FitReport& report) {
  if (report.context && *report.context >= 2) {
    return fmt::format("a context of {} tokens fits: -c {}", *report.context, *report.context);
  }
  if (report.precision) return fmt::format("the same model in {} fits", name_of(*report.precision));
  return "close other programs, or choose a smaller model";
}

}  // namespace

std::optional<std::size_t> largest_context(const PlanRequest& request, std::size_t longest,
                                           std::uint64_t memory, const TotalBytes& total) {
  const auto context_of = [longest](std::size_t blocks) {
    return std::min(blocks * tensor::kKvBlockTokens, longest);
  };
  const auto blocks = largest(ceil_div(longest, tensor::kKvBlockTokens), [&](std::size_t count) {
    PlanRequest smaller = request;
    smaller.context_length = context_of(count);
    return total(smaller) <= memory;
  });
  if (!blocks) return std::nullopt;
  return context_of(*blocks);
}

std::optional<std::size_t> largest_users(const PlanRequest& request, std::uint64_t memory,
                                         const TotalBytes& total) {
  return largest(kMostUsers, [&](std::size_t count) {
    PlanRequest smaller = request;
    smaller.users = count;
    return total(smaller) <= memory;
  });
}

std::optional<Precision> largest_precision(const model::GemmaConfig& config, const PlanRequest& request,
                                           std::uint64_t memory) {
  for (const Precision precision : kPrecisions) {
    if (plan_memory(config, types_of(precision, config), request).total() <= memory) return precision;
  }
  return std::nullopt;
}

FitReport check_fit(const model::GemmaConfig& config, const TensorTypes& types, const PlanRequest& request,
                    std::uint64_t memory) {
  const TotalBytes total = [&](const PlanRequest& asked) {
    return plan_memory(config, types, asked).total();
  };
  FitReport report{.plan = plan_memory(config, types, request), .request = request, .memory = memory};
  report.fits = report.plan.total() <= memory;
  report.context = largest_context(request, config.max_context, memory, total);
  report.users = largest_users(request, memory, total);
  report.precision = largest_precision(config, request, memory);
  return report;
}

Result<> require_fit(const FitReport& report, std::string_view model, std::string_view place) {
  if (report.fits) return {};
  const MemoryPlan& plan = report.plan;
  using enum PlanItem;
  const std::uint64_t weights =
      plan.of(kDecoder) + plan.of(kEmbedding) + plan.of(kHead) + plan.of(kVisionTower);
  return fail(ErrorKind::kDoesNotFit,
              "{} does not fit: with a context of {} tokens it needs {} (weights {}, KV cache {}, other {}), "
              "and {} has {}; {} ('carat plan' has the details)",
              model, report.request.context_length, memory_size_text(plan.total()), memory_size_text(weights),
              memory_size_text(plan.kv()), memory_size_text(plan.total() - weights - plan.kv()), place,
              memory_size_text(report.memory), advice(report));
}

}  // namespace carat::planner
