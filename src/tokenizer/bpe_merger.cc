#include "tokenizer/bpe_merger.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "base/check.h"
#include "base/utf8.h"

namespace carat::tokenizer {
namespace {

// A heap entry orders candidates by one comparison of integers: rank of the result, then index of the left
// symbol.
constexpr unsigned kIndexBits = 32;

}  // namespace

void BpeMerger::encode(std::string_view text, std::vector<TokenId>& out) {
  CARAT_CHECK(text.size() <= kMaxTextBytes);
  if (text.empty()) return;
  split(text);
  merge_all(text);
  emit(text, out);
}

void BpeMerger::split(std::string_view text) {
  symbols_.clear();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = first_utf8_unit(text.substr(at)).length;
    const auto index = static_cast<std::uint32_t>(symbols_.size());
    symbols_.push_back({.begin = static_cast<std::uint32_t>(at),
                        .length = static_cast<std::uint32_t>(length),
                        .previous = index == 0 ? kEnd : index - 1,
                        .next = index + 1,
                        .id = vocabulary_.find_mergeable(text.substr(at, length)).value_or(-1)});
    at += length;
  }
  symbols_.back().next = kEnd;
}

// Considers merging symbol `left` with the one after it.
void BpeMerger::push_candidate(std::string_view text, std::uint32_t left) {
  const Symbol& a = symbols_[left];
  if (a.next == kEnd) return;
  const Symbol& b = symbols_[a.next];
  const std::size_t length = std::size_t{a.length} + b.length;
  if (a.id < 0 || b.id < 0 || length > vocabulary_.longest_mergeable()) return;
  ++operations_;
  const std::optional<TokenId> id = vocabulary_.find_mergeable(text.substr(a.begin, length));
  if (!id) return;
  const std::uint32_t rank = vocabulary_.merge_rank(*id);
  if (rank == kNoRank) return;
  heap_.push_back(std::uint64_t{rank} << kIndexBits | left);
  std::ranges::push_heap(heap_, std::greater{});
}

void BpeMerger::merge_all(std::string_view text) {
  heap_.clear();
  for (std::uint32_t i = 0; i + 1 < symbols_.size(); ++i) push_candidate(text, i);
  while (!heap_.empty()) {
    std::ranges::pop_heap(heap_, std::greater{});
    const auto index = static_cast<std::uint32_t>(heap_.back());
    const TokenId merged = vocabulary_.merged_at(static_cast<std::uint32_t>(heap_.back() >> kIndexBits));
    heap_.pop_back();
    ++operations_;
    // Either part may have changed since the entry was made. Symbols only grow, by whole neighbours, so the
    // same joint length means the same two parts.
    Symbol& left = symbols_[index];
    if (left.length == 0 || left.next == kEnd) continue;
    Symbol& right = symbols_[left.next];
    if (left.length + right.length != vocabulary_.text(merged).size()) continue;

    left.length += right.length;
    left.id = merged;
    left.next = right.next;
    right.length = 0;
    if (left.next != kEnd) symbols_[left.next].previous = index;
    push_candidate(text, index);
    if (left.previous != kEnd) push_candidate(text, left.previous);
  }
}

void BpeMerger::emit(std::string_view text, std::vector<TokenId>& out) const {
  bool after_unknown = false;
  for (std::uint32_t i = 0; i != kEnd; i = symbols_[i].next) {
    const Symbol& symbol = symbols_[i];
    const std::string_view bytes = text.substr(symbol.begin, symbol.length);
    const auto has_piece = [&](char byte) {
      return vocabulary_.byte_piece(static_cast<unsigned char>(byte)) >= 0;
    };
    bool unknown = false;
    if (symbol.id >= 0) {
      out.push_back(symbol.id);
    } else if (std::ranges::all_of(bytes, has_piece)) {
      for (const char byte : bytes) out.push_back(vocabulary_.byte_piece(static_cast<unsigned char>(byte)));
    } else {
      unknown = true;
      if (!after_unknown) out.push_back(unknown_);  // one for a whole run, as the reference's fuse_unk
    }
    after_unknown = unknown;
  }
}

}  // namespace carat::tokenizer
