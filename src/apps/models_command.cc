#include <boost/json.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/commands.h"
#include "apps/listed_models.h"
#include "apps/model_plan.h"
#include "base/size_text.h"
#include "base/utf8.h"
#include "hub/model_caches.h"
#include "hub/model_summary.h"
#include "planner/memory_plan.h"
#include "terminal/printable.h"

namespace carat::apps {
namespace {

namespace json = boost::json;

struct ModelsFlags {
  bool as_json = false;
  bool all = false;
};

struct ListedModel {
  hub::CachedModel place;
  hub::ModelSummary summary;
  std::uint64_t needs = 0;  // bytes of memory, with a context of the usual length
  std::string problem;      // why it cannot be used; empty: it can
};

struct Listing {
  std::vector<ListedModel> models;
  std::vector<hub::CachedModel> foreign;  // of other families
  std::optional<std::uint64_t> memory;    // free here; nullopt: unknown

  bool fits(const ListedModel& model) const { return !memory || model.needs <= *memory; }
};

// A context longer than the model's is cut here; who opens the model is told.
planner::PlanRequest listing_request(const Runtime& runtime, const model::GemmaConfig& config) {
  planner::PlanRequest request = plan_request(runtime, config);
  request.context_length = std::min(request.context_length, config.max_context);
  return request;
}

Result<Listing> list_models(const Runtime& runtime) {
  Listing listing{.models = {}, .foreign = {}, .memory = memory_here()};
  for (hub::CachedModel& place : listed_models(runtime)) {
    if (runtime.interrupts.token().stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    std::uint64_t needs = 0;
    const auto summary = hub::summarize_model(place.path, [&](const model::Checkpoint& checkpoint) {
      const model::GemmaConfig& config = checkpoint.config();
      needs = planner::plan_memory(config, planner::types_of(checkpoint), listing_request(runtime, config))
                  .total();
    });
    if (summary && !*summary) {
      listing.foreign.push_back(std::move(place));
      continue;
    }
    ListedModel& model = listing.models.emplace_back();
    model.place = std::move(place);
    model.needs = needs;
    if (summary) {
      model.summary = **summary;
    } else {
      model.problem = summary.error().message;
    }
  }
  return listing;
}

std::string listing_json(const Listing& listing, bool all) {
  json::array models;
  for (const ListedModel& model : listing.models) {
    json::object row{{"name", replace_invalid_utf8(model.place.name)},
                     {"from", hub::to_text(model.place.origin)},
                     {"path", replace_invalid_utf8(model.place.path.string())}};
    if (model.problem.empty()) {
      row["bytes"] = model.summary.bytes;
      row["precision"] = model.summary.precision;
      row["vision"] = model.summary.has_vision;
      row["instruction_tuned"] = model.summary.instruction_tuned;
      row["needs_bytes"] = model.needs;
      row["fits"] = listing.fits(model);
    } else {
      row["problem"] = replace_invalid_utf8(model.problem);
    }
    models.push_back(std::move(row));
  }
  json::object out{{"models", std::move(models)},
                   {"others", listing.foreign.size()},
                   {"memory_bytes", listing.memory ? json::value(*listing.memory) : json::value(nullptr)}};
  if (all) {
    json::array foreign;
    for (const hub::CachedModel& model : listing.foreign)
      foreign.push_back(json::string(replace_invalid_utf8(model.name)));
    out["other_names"] = std::move(foreign);
  }
  return json::serialize(out) + "\n";
}

std::string fits_text(const Listing& listing, const ListedModel& model) {
  if (listing.fits(model)) return "yes";
  return fmt::format("no, needs {} of {}", memory_size_text(model.needs), memory_size_text(*listing.memory));
}

// As wide as the longest name, if that is not too long for a line.
std::size_t name_width(const Listing& listing) {
  std::size_t width = 24;
  for (const ListedModel& model : listing.models) width = std::max(width, model.place.name.size());
  return std::min<std::size_t>(width, 64) + 2;
}

std::string listing_text(const Listing& listing, bool all) {
  const std::size_t width = name_width(listing);
  std::string out = fmt::format("{:<{}}{:<13}{:>10}  {:<9}{:<8}{:<19}{}\n", "name", width, "from", "size",
                                "type", "images", "kind", "fits");
  const auto start = [&](const hub::CachedModel& place) {
    out += fmt::format("{:<{}}{:<13}", terminal::printable_line(place.name) + " ", width,
                       hub::to_text(place.origin));
  };
  for (const ListedModel& model : listing.models) {
    start(model.place);
    const hub::ModelSummary& summary = model.summary;
    out +=
        model.problem.empty()
            ? fmt::format("{:>10}  {:<9}{:<8}{:<19}{}\n", file_size_text(summary.bytes), summary.precision,
                          summary.has_vision ? "yes" : "no",
                          summary.instruction_tuned ? "instruction-tuned" : "base", fits_text(listing, model))
            : fmt::format("cannot be used: {}\n", terminal::printable_line(model.problem));
  }
  if (all) {
    for (const hub::CachedModel& model : listing.foreign) {
      start(model);
      out += "of another family\n";
    }
  } else if (!listing.foreign.empty()) {
    out += fmt::format("and {} of other families; --all lists them\n", listing.foreign.size());
  }
  return out;
}

}  // namespace

void add_models_command(CommandLine& line) {
  auto flags = std::make_shared<ModelsFlags>();
  CLI::App& command =
      line.add("models", "List the models on this machine.", {}, [flags](Runtime& runtime) -> Result<> {
        CARAT_TRY(const Listing listing, list_models(runtime));
        return print(flags->as_json ? listing_json(listing, flags->all) : listing_text(listing, flags->all));
      });
  command.add_flag("--json", flags->as_json, "print one JSON object");
  command.add_flag("--all", flags->all, "list models of other families too");
}

}  // namespace carat::apps
