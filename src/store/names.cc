#include "store/names.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/utf8.h"

namespace carat::store {
namespace {

constexpr std::size_t kMostOwnerBytes = 128;

// In the order of the enumerations.
constexpr std::array<std::string_view, 4> kRoles = {"system", "user", "assistant", "tool"};
constexpr std::array<std::string_view, 6> kStatuses = {"pending",   "streaming",   "done",
                                                       "cancelled", "interrupted", "failed"};
constexpr std::array<std::string_view, 2> kKinds = {"chat", "responses"};

template <class Enumeration, std::size_t size>
std::optional<Enumeration> find(const std::array<std::string_view, size>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enumeration>(found - names.begin());
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

}  // namespace

std::string_view name_of(Role role) { return kRoles.at(static_cast<std::size_t>(std::to_underlying(role))); }
std::string_view name_of(Status status) {
  return kStatuses.at(static_cast<std::size_t>(std::to_underlying(status)));
}
std::string_view name_of(ConversationKind kind) {
  return kKinds.at(static_cast<std::size_t>(std::to_underlying(kind)));
}
std::optional<Role> find_role(std::string_view name) { return find<Role>(kRoles, name); }
std::optional<Status> find_status(std::string_view name) { return find<Status>(kStatuses, name); }
std::optional<ConversationKind> find_kind(std::string_view name) {
  return find<ConversationKind>(kKinds, name);
}

bool is_finished(Status status) { return status != Status::kPending && status != Status::kStreaming; }

Result<> check_name(std::string_view what, std::string_view name, std::size_t most) {
  if (name.empty() || name.size() > most) {
    return fail(ErrorKind::kUsage, "{}: expected 1 to {} bytes, found {}", what, most, name.size());
  }
  if (std::ranges::any_of(name, is_control) || !is_valid_utf8(name)) {
    return fail(ErrorKind::kUsage, "{}: control characters and invalid UTF-8 are not allowed", what);
  }
  return {};
}

Result<> check_owner(const OwnerId& owner) { return check_name("owner", owner, kMostOwnerBytes); }

}  // namespace carat::store
