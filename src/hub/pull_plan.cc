#include "hub/pull_plan.h"

#include <algorithm>
#include <set>

#include "hub/file_names.h"

namespace carat::hub {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 40;  // a 27B model in f32 has a tenth of it
constexpr std::size_t kMostFiles = 200;

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string_view to_text(FileRole role) {
  switch (role) {
    case FileRole::kModel: return "model";
    case FileRole::kProjector: return "projector";
    case FileRole::kOther: return "other";
  }
  return "";
}

std::uint64_t PullPlan::bytes() const {
  std::uint64_t sum = 0;  // kMostFiles times kMostBytes at most
  for (const RemoteFile& file : files) sum += file.bytes;
  return sum;
}

Result<PullPlan> checked_plan(PullPlan plan) {
  const auto bad = [&](std::string_view what, std::string_view value) {
    return fail(ErrorKind::kNetwork, "{}: the service names a {} that cannot be used: '{}'", plan.source,
                what, value);
  };
  if (!is_safe_name(plan.folder)) return bad("model", plan.folder);
  if (!is_safe_name(plan.other_folder)) plan.other_folder.clear();
  if (plan.files.empty() || plan.files.size() > kMostFiles) {
    return bad("number of files", fmt::format("{}", plan.files.size()));
  }
  std::set<std::string> names;
  for (const RemoteFile& file : plan.files) {
    if (!is_safe_name(file.name) || !names.insert(file.name).second) return bad("file", file.name);
    if (!file.sha256.empty() && !is_sha256(file.sha256)) return bad("SHA-256", file.sha256);
    if (file.role != FileRole::kOther && file.sha256.empty()) return bad("SHA-256", "(none)");
    if (file.bytes == 0 || file.bytes > kMostBytes) return bad("size", fmt::format("{}", file.bytes));
  }
  return plan;
}

}  // namespace carat::hub
