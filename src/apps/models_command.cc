#include <boost/json.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/commands.h"
#include "apps/open_model.h"
#include "hub/model_caches.h"
#include "hub/model_summary.h"
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
  std::string problem;  // why it cannot be used; empty: it can
};

struct Listing {
  std::vector<ListedModel> models;
  std::vector<hub::CachedModel> foreign;  // of other families
};

std::vector<hub::CachedModel> all_places(const Runtime& runtime) {
  std::vector<hub::CachedModel> places;
  for (const hub::StoredModel& model : model_store(runtime).list()) {
    places.push_back({model.name, hub::ModelOrigin::kStore, model.path});
  }
  for (hub::CachedModel& model : hub::cached_models(cache_folders())) places.push_back(std::move(model));
  return places;
}

Result<Listing> list_models(const Runtime& runtime) {
  Listing listing;
  for (hub::CachedModel& place : all_places(runtime)) {
    if (runtime.interrupts.token().stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    const auto summary = hub::summarize_model(place.path);
    if (summary && !*summary) {
      listing.foreign.push_back(std::move(place));
      continue;
    }
    ListedModel& model = listing.models.emplace_back();
    model.place = std::move(place);
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
    json::object row{{"name", model.place.name},
                     {"from", hub::to_text(model.place.origin)},
                     {"path", model.place.path.string()}};
    if (model.problem.empty()) {
      row["bytes"] = model.summary.bytes;
      row["precision"] = model.summary.precision;
      row["vision"] = model.summary.has_vision;
      row["instruction_tuned"] = model.summary.instruction_tuned;
    } else {
      row["problem"] = model.problem;
    }
    models.push_back(std::move(row));
  }
  json::object out{{"models", std::move(models)}, {"others", listing.foreign.size()}};
  if (all) {
    json::array foreign;
    for (const hub::CachedModel& model : listing.foreign) foreign.push_back(json::string(model.name));
    out["other_names"] = std::move(foreign);
  }
  return json::serialize(out) + "\n";
}

std::string listing_text(const Listing& listing, bool all) {
  std::string out =
      fmt::format("{:<48}{:<13}{:>9}  {:<8}{:<8}{}\n", "name", "from", "MB", "type", "images", "kind");
  for (const auto& [place, summary, problem] : listing.models) {
    out += fmt::format("{:<48}{:<13}", terminal::printable_line(place.name), hub::to_text(place.origin));
    out += problem.empty() ? fmt::format("{:>9}  {:<8}{:<8}{}\n", summary.bytes / 1'000'000,
                                         summary.precision, summary.has_vision ? "yes" : "no",
                                         summary.instruction_tuned ? "instruction-tuned" : "base")
                           : fmt::format("cannot be used: {}\n", terminal::printable_line(problem));
  }
  if (all) {
    for (const hub::CachedModel& model : listing.foreign) {
      out += fmt::format("{:<48}{:<13}of another family\n", terminal::printable_line(model.name),
                         hub::to_text(model.origin));
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
