#include "model/top_candidates.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

namespace carat::model {
namespace {

bool better(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

// The best candidates so far. Tokens must come in order of id.
class Best {
 public:
  Best(std::size_t count, std::size_t of) : count_(count) { heap_.reserve(std::min(count, of)); }

  void add(std::size_t id, float logit) {
    const Candidate candidate = {static_cast<std::int32_t>(id), logit};
    if (heap_.size() < count_) {
      if (logit != logit) return;
      heap_.push_back(candidate);
      std::push_heap(heap_.begin(), heap_.end(), better);
    } else if (logit > heap_.front().logit) {
      std::pop_heap(heap_.begin(), heap_.end(), better);
      heap_.back() = candidate;
      std::push_heap(heap_.begin(), heap_.end(), better);
    }
  }

  std::vector<Candidate> take() {
    std::sort_heap(heap_.begin(), heap_.end(), better);
    return std::move(heap_);
  }

 private:
  std::size_t count_;
  std::vector<Candidate> heap_;  // its front is the worst candidate kept
};

}  // namespace

std::vector<Candidate> top_candidates(std::span<const float> logits, std::size_t count, TokenSet allowed) {
  if (count == 0) return {};
  Best best(count, logits.size());
  if (allowed.is_everything()) {
    for (std::size_t id = 0; id < logits.size(); ++id) best.add(id, logits[id]);
    return best.take();
  }
  const std::span<const std::uint32_t> words = allowed.words();
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (std::uint32_t word = words[i]; word != 0; word &= word - 1) {
      const std::size_t id = i * TokenSet::kWordBits + static_cast<std::size_t>(std::countr_zero(word));
      if (id < logits.size()) best.add(id, logits[id]);
    }
  }
  return best.take();
}

}  // namespace carat::model
