#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/token_set.h"
#include "model/kv_geometry.h"

namespace carat::model {

// What a row must yield. The head, in small models most of the work, runs only for rows that want something.
enum class RowOutput : std::uint8_t {
  kNone,           // its keys and values only
  kTopCandidates,  // the best BatchOutput::candidate_count logits
  kLogits,         // all of them
};

class Adapter;

// An adapter and how strongly it applies.
struct WeightedAdapter {
  const Adapter* adapter = nullptr;
  float weight = 1.0F;
  bool operator==(const WeightedAdapter&) const = default;
};
using AdapterList = std::span<const WeightedAdapter>;  // applied in this order

// Positions [begin, end) that see one another in both directions, such as the soft tokens of an image. All of
// them must be rows of the same batch. Empty: the row is plain causal text.
struct NonCausalSpan {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

struct Row {
  std::int32_t token = 0;            // used unless embedding is set
  const float* embedding = nullptr;  // [d_model], enters the residual stream unscaled (image soft tokens)
  std::uint32_t sequence = 0;        // index into Batch::sequences
  std::uint32_t position = 0;
  NonCausalSpan span;
  RowOutput output = RowOutput::kNone;
  TokenSet allowed = {};  // kTopCandidates: candidates are among these
};

// One step of the model. Rows of one sequence are adjacent and in order of position, and every KV block they
// write, or may still see, is present in their sequence's tables.
struct Batch {
  std::span<const Row> rows;
  std::span<const SequenceKv> sequences;
  const KvGeometry* geometry = nullptr;  // of those sequences' blocks
  // The adapters of each sequence, [sequences]; empty where no sequence has any. Adapters are of the same
  // model.
  std::span<const AdapterList> adapters = {};
};

struct Candidate {
  std::int32_t token = 0;
  float logit = 0.0F;
};

// A row whose residual stream stopped being finite in a layer. What it yielded, and its keys and values, are
// of no use; other sequences' rows are unharmed.
struct BadRow {
  std::size_t row = 0;    // index into Batch::rows
  std::size_t layer = 0;  // the first
};

// What the rows yielded, in the order of the rows that asked.
struct BatchOutput {
  std::size_t candidate_count = 1;
  std::vector<std::vector<Candidate>> candidates;  // best first, ties to the lower id
  std::vector<std::vector<float>> logits;          // [vocabulary]
  std::vector<BadRow> bad_rows;                    // each row once, none as a rule
};

}  // namespace carat::model
