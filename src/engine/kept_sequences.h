#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/kv_cache.h"
#include "engine/prompt_tokens.h"
#include "model/batch.h"

namespace carat::engine {

// Keys and values are shared only between requests that agree in all of this.
struct CacheScope {
  std::string owner;
  std::vector<model::WeightedAdapter> adapters = {};
  bool operator==(const CacheScope&) const = default;
};

// How much of `prompt` need not be read by a sequence that begins with the keys and values `kv` of `tokens`:
// what both begin with, as far as the sliding window still holds it, no image in part. At least one token is
// left to run, since only a run yields logits.
std::size_t usable_prefix(const PromptTokens& prompt, const PromptTokens& tokens, const KvSequence& kv);

// The keys and values of finished requests, for later ones that begin alike. Used last, forgotten last. Not
// thread-safe.
class KeptSequences {
 public:
  // Keeps `kv`, which holds the first kv->length() of `tokens`, and forgets the earlier states of what is
  // visibly the same conversation: those of which the new one repeats all but less than a block.
  void keep(const CacheScope& scope, const PromptTokens& tokens, std::unique_ptr<KvSequence> kv);

  // The longest usable_prefix(prompt) among those of that scope.
  std::size_t longest_prefix(const CacheScope& scope, const PromptTokens& prompt) const;

  // A sequence with that prefix; null when it is 0. It is the kept one itself where that holds little more,
  // and shares its blocks otherwise.
  std::unique_ptr<KvSequence> reuse(const CacheScope& scope, const PromptTokens& prompt, KvPool& pool,
                                    std::size_t rollback_tokens);

  // Forgets the sequence that was not used for the longest time; false when there is none.
  bool forget_oldest();

  std::size_t size() const { return latest_.size(); }

 private:
  struct Entry {
    CacheScope scope;
    PromptTokens tokens;  // [kv->length()], without images and soft tokens
    std::unique_ptr<KvSequence> kv;
  };

  std::list<Entry>::iterator best(const CacheScope& scope, const PromptTokens& prompt);

  std::list<Entry> latest_;  // used last comes first
};

}  // namespace carat::engine
