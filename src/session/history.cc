#include "session/history.h"

#include <algorithm>
#include <utility>

#include "store/parts.h"

namespace carat::session {

Result<History> read_response_history(store::Store& store, const store::OwnerId& owner, const Uuid& id) {
  CARAT_TRY(const store::Response response, store.responses().get(owner, id));
  if (!store::is_finished(response.status))
    return fail(ErrorKind::kConflict, "the response is still being written");
  History history{.conversation = response.conversation, .messages = {}, .blobs = {}};
  CARAT_TRY(history.messages, store.conversations().path(owner, id));
  std::size_t bytes = 0;
  for (const store::Message& message : history.messages) {
    for (const Sha256Digest& digest : store::blobs_of(message.parts)) {
      if (history.blobs.contains(digest)) continue;
      CARAT_TRY(store::Blob blob, store.blobs().get(owner, digest));
      bytes += blob.data.size();
      if (bytes > kMostHistoryBytes) {
        return fail(ErrorKind::kQuota, "the files of the conversation have more than {} bytes",
                    kMostHistoryBytes);
      }
      history.blobs.emplace(digest, std::move(blob.data));
    }
  }
  return history;
}

bool ids_spell(const tokenizer::Tokenizer& tokenizer, std::span<const TokenId> ids, std::string_view text) {
  const auto usable = [&](TokenId id) { return tokenizer.contains(id) && !tokenizer.is_control(id); };
  return std::ranges::all_of(ids, usable) && tokenizer.decode(ids, /*show_control=*/false) == text;
}

}  // namespace carat::session
