#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "hub/pull_plan.h"

namespace carat::hub {

// Whether the folder holds all files of the plan, by its record and their sizes.
bool is_complete(const std::filesystem::path& folder, const PullPlan& plan);

// The name that a pulled model's folder gets in the store: of plan.folder and plan.other_folder the one that
// holds these files already or an older revision of them, otherwise the one that is free. kFailed when both
// are taken by something that no pull of this model put there, which is left alone.
Result<std::string> choose_folder(const std::filesystem::path& store, const PullPlan& plan);

// Gives a finished folder its name. Of an older revision under that name, the files that its pull put there
// go; every other file is moved into the new folder or, where that has one of the same name, stays in a
// folder beside it, which is returned. kFailed, with nothing changed, when something else has taken the name.
Result<std::optional<std::filesystem::path>> place(const std::filesystem::path& partial,
                                                   const std::filesystem::path& folder, const PullPlan& plan);

// Removes what pulls left in an unfinished folder and the plan does not name; files that no pull put there
// stay.
void tidy_partial(const std::filesystem::path& partial, const PullPlan& plan);

}  // namespace carat::hub
