#include "quantize/output_folder.h"

#include <unistd.h>

#include <system_error>
#include <utility>

#include "base/output_file.h"

namespace carat::quantize {

namespace fs = std::filesystem;

Result<OutputFolder> OutputFolder::create(const std::string& path) {
  fs::path target = fs::path(path).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // "out/"
  std::error_code error;
  if (fs::exists(target, error) && !(fs::is_directory(target, error) && fs::is_empty(target, error))) {
    return fail(ErrorKind::kUsage, "{}: expected a folder that does not exist or is empty; name another",
                path);
  }
  fs::path temporary = target;
  temporary += fmt::format(".{}.part", ::getpid());
  fs::create_directory(temporary, error);
  if (error) return std::unexpected(write_error(path, error.value()));
  return OutputFolder(std::move(target), std::move(temporary));
}

OutputFolder::OutputFolder(OutputFolder&& other) noexcept
    : target_(std::move(other.target_)), temporary_(std::exchange(other.temporary_, {})) {}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

Result<> OutputFolder::commit() {
  std::error_code error;
  fs::rename(temporary_, target_, error);  // takes the place of an empty folder
  if (error) return std::unexpected(write_error(target_.string(), error.value()));
  temporary_.clear();
  return {};
}

}  // namespace carat::quantize
