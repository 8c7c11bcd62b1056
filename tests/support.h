#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/cpu_backend.h"
#include "base/token_id.h"
#include "model/batch.h"
#include "model/checkpoint.h"
#include "model/model.h"
#include "tensor/kv_block.h"

namespace carat::tests {

// Logits of consecutive positions, [tokens, vocab].
struct Logits {
  std::size_t vocab = 0;
  std::vector<float> values;

  std::span<const float> row(std::size_t t) const { return std::span(values).subspan(t * vocab, vocab); }
};

// A model and the backend it runs on. Failures to load fail the test and give a null model.
struct Loaded {
  std::unique_ptr<backend::Backend> backend;  // declared before the model, which refers to it
  std::unique_ptr<model::Model> model;
};
Loaded load(const std::string& path, std::unique_ptr<backend::Backend> backend);
// An empty level is the machine's best.
backend::CpuOptions cpu_options(const std::string& level, std::size_t threads,
                                bool exact_activations = false);
Loaded load_cpu(const std::string& path, const backend::CpuOptions& options);

// What a reference gave for one sequence.
struct Expected {
  std::vector<TokenId> ids;
  Logits logits;
};
// A file of u32 tokens, u32 vocabulary, ids, logits of every position. Failures fail the test.
Expected read_expected(const std::string& path);

// One sequence and how many rows it takes part with in each step.
struct Sequence {
  std::vector<TokenId> ids;
  std::size_t chunk = 1;
  std::vector<model::WeightedAdapter> adapters = {};
};

// Runs sequences side by side until all are done; a step holds the next chunk of each. `wants` says which
// positions' logits are computed, and `take` gets them in order of position within a sequence.
using Wants = std::function<bool(std::size_t position)>;
using Take = std::function<void(std::size_t sequence, std::size_t position, std::span<const float> logits)>;
void run_together(model::Model& model, tensor::KvType kv, std::span<const Sequence> sequences,
                  const Wants& wants, const Take& take);

// The logits of every position of every sequence.
std::vector<Logits> logits_together(model::Model& model, tensor::KvType kv,
                                    std::span<const Sequence> sequences);
Logits logits_alone(model::Model& model, tensor::KvType kv, std::span<const TokenId> ids, std::size_t chunk,
                    model::AdapterList adapters = {});

// Largest |actual - expected| over largest |expected|; infinite when a value is not finite or sizes differ.
double relative_difference(const Logits& actual, const Logits& expected);

// Names of the levels of this build, and whether this machine can run one.
std::vector<std::string> level_names();
bool level_available(const std::string& level);
bool level_is_integer_exact(const std::string& level);

// Ids in [0, vocab), the first of them BOS (2).
std::vector<TokenId> random_ids(std::size_t count, std::size_t vocab, unsigned seed);

std::vector<std::byte> read_file(const std::string& path);

}  // namespace carat::tests

// Ends a test as skipped, visibly, where the machine lacks a level.
#define CARAT_SKIP_WITHOUT_LEVEL(level)                              \
  if (!carat::tests::level_available(level)) {                       \
    GTEST_SKIP() << "not run: this machine lacks level " << (level); \
  }                                                                  \
  static_assert(true)
