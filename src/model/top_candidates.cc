#include "model/top_candidates.h"

#include <algorithm>
#include <cstdint>

namespace carat::model {

std::vector<Candidate> top_candidates(std::span<const float> logits, std::size_t count) {
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
  };
  std::vector<Candidate> heap;  // its front is the worst candidate kept
  if (count == 0) return heap;
  heap.reserve(std::min(count, logits.size()));
  for (std::size_t id = 0; id < logits.size(); ++id) {
    const Candidate candidate = {static_cast<std::int32_t>(id), logits[id]};
    if (heap.size() < count) {
      if (candidate.logit != candidate.logit) continue;
      heap.push_back(candidate);
      std::push_heap(heap.begin(), heap.end(), better);
    } else if (candidate.logit > heap.front().logit) {
      std::pop_heap(heap.begin(), heap.end(), better);
      heap.back() = candidate;
      std::push_heap(heap.begin(), heap.end(), better);
    }
  }
  std::sort_heap(heap.begin(), heap.end(), better);
  return heap;
}

}  // namespace carat::model
