#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "store/database.h"

namespace carat::store {

// Step i takes a database of version i to version i + 1. A step that was released is never edited.
std::span<const std::string_view> migrations();

// Refuses a database of another program, or of a newer Carat (kFailed), which is only read.
Result<> check_version(Database& database, std::span<const std::string_view> steps = migrations());

// Brings the database to the version after the last of `steps`, each in a transaction of its own; refuses
// what check_version() does.
Result<> migrate(Database& database, std::span<const std::string_view> steps = migrations());

}  // namespace carat::store
