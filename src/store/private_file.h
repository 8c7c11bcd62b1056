#pragma once

#include <filesystem>

#include "base/result.h"

namespace carat::store {

// Sees to it that `path` is a regular file that belongs to this user and that nobody else may read or write,
// in a folder where nobody else could exchange it. Creates both where they are missing; takes away access of
// others to the file. kFailed for a link, something that is no file, a file of another user, or a folder that
// everybody may write to.
Result<> prepare_private_file(const std::filesystem::path& path);

}  // namespace carat::store
