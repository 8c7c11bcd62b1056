#include "tokenizer/prefix_trie.h"

namespace carat::tokenizer {

PrefixTrie::PrefixTrie() { roots_.fill(kNone); }

std::uint32_t PrefixTrie::child(std::uint32_t parent, char byte) const {
  std::uint32_t node = nodes_[parent].first_child;
  while (node != kNone && nodes_[node].byte != byte) node = nodes_[node].next_sibling;
  return node;
}

std::uint32_t PrefixTrie::child_or_new(std::uint32_t parent, char byte) {
  const std::uint32_t found = child(parent, byte);
  if (found != kNone) return found;
  const auto node = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({.next_sibling = nodes_[parent].first_child, .byte = byte});
  nodes_[parent].first_child = node;
  return node;
}

void PrefixTrie::insert(std::string_view text, TokenId id) {
  std::uint32_t& root = roots_[static_cast<unsigned char>(text.front())];
  if (root == kNone) {
    root = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back({.byte = text.front()});
  }
  std::uint32_t node = root;
  for (const char byte : text.substr(1)) node = child_or_new(node, byte);
  if (nodes_[node].id < 0) nodes_[node].id = id;
}

PrefixTrie::Match PrefixTrie::longest_prefix(std::string_view text) const {
  Match match;
  if (text.empty()) return match;
  std::uint32_t node = roots_[static_cast<unsigned char>(text.front())];
  for (std::size_t length = 1; node != kNone; ++length) {
    if (nodes_[node].id >= 0) match = {length, nodes_[node].id};
    if (length == text.size()) break;
    node = child(node, text[length]);
  }
  return match;
}

}  // namespace carat::tokenizer
