#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "store/conversation_store.h"

namespace carat::store {

// As they are stored, and as interfaces show them.
std::string_view name_of(Role role);
std::string_view name_of(Status status);
std::string_view name_of(ConversationKind kind);
std::optional<Role> find_role(std::string_view name);
std::optional<Status> find_status(std::string_view name);
std::optional<ConversationKind> find_kind(std::string_view name);

// kUsage, with `what` in front, for a name that is empty, has more than `most` bytes or control characters,
// or is no UTF-8.
Result<> check_name(std::string_view what, std::string_view name, std::size_t most);
Result<> check_owner(const OwnerId& owner);  // 1 to 128 bytes

}  // namespace carat::store
