#include "engine/kept_sequences.h"

#include <algorithm>
#include <utility>

#include "tensor/kv_block.h"

namespace carat::engine {
namespace {

// What a conversation may lose when another request goes on from the middle of it: it is read again soon
// enough, and blocks are what memory is counted in.
constexpr std::size_t kLittle = tensor::kKvBlockTokens;

PromptTokens without_images(const PromptTokens& tokens, std::size_t length) {
  PromptTokens out;
  out.ids.assign(tokens.ids.begin(), tokens.ids.begin() + static_cast<std::ptrdiff_t>(length));
  for (const ImageSpan& span : tokens.spans) {
    if (span.end <= length) out.spans.push_back({.begin = span.begin, .end = span.end, .key = span.key});
  }
  return out;
}

}  // namespace

std::size_t usable_prefix(const PromptTokens& prompt, const PromptTokens& tokens, const KvSequence& kv) {
  std::size_t length = std::min({common_prefix(prompt, tokens), kv.length(), prompt.ids.size() - 1});
  length = whole_images(prompt, length);
  return kv.can_truncate(length) ? length : 0;
}

void KeptSequences::keep(const CacheScope& scope, const PromptTokens& tokens,
                         std::unique_ptr<KvSequence> kv) {
  if (kv->length() == 0) return;
  PromptTokens kept = without_images(tokens, kv->length());
  std::erase_if(latest_, [&](const Entry& entry) {
    return entry.scope == scope && common_prefix(entry.tokens, kept) + kLittle > entry.tokens.ids.size();
  });
  latest_.push_front({scope, std::move(kept), std::move(kv)});
}

std::list<KeptSequences::Entry>::iterator KeptSequences::best(const CacheScope& scope,
                                                              const PromptTokens& prompt) {
  auto best = latest_.end();
  std::size_t longest = 0;
  for (auto entry = latest_.begin(); entry != latest_.end(); ++entry) {
    if (entry->scope != scope) continue;
    const std::size_t length = usable_prefix(prompt, entry->tokens, *entry->kv);
    if (length <= longest) continue;
    longest = length;
    best = entry;
  }
  return best;
}

std::size_t KeptSequences::longest_prefix(const CacheScope& scope, const PromptTokens& prompt) const {
  std::size_t longest = 0;
  for (const Entry& entry : latest_) {
    if (entry.scope == scope) longest = std::max(longest, usable_prefix(prompt, entry.tokens, *entry.kv));
  }
  return longest;
}

std::unique_ptr<KvSequence> KeptSequences::reuse(const CacheScope& scope, const PromptTokens& prompt,
                                                 KvPool& pool, std::size_t rollback_tokens) {
  const auto found = best(scope, prompt);
  if (found == latest_.end()) return nullptr;
  const std::size_t length = usable_prefix(prompt, found->tokens, *found->kv);
  if (found->kv->length() < length + kLittle) {
    std::unique_ptr<KvSequence> kv = std::move(found->kv);
    latest_.erase(found);
    kv->truncate(length);
    return kv;
  }
  latest_.splice(latest_.begin(), latest_, found);
  auto kv = std::make_unique<KvSequence>(pool, rollback_tokens);
  kv->share_prefix(*found->kv, length);
  return kv;
}

bool KeptSequences::forget_oldest() {
  if (latest_.empty()) return false;
  latest_.pop_back();
  return true;
}

}  // namespace carat::engine
