#include "tests/support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <utility>

#include "engine/kv_cache.h"
#include "kernels/levels.h"

namespace carat::tests {

Loaded load(const std::string& path, std::unique_ptr<backend::Backend> backend) {
  Loaded loaded{std::move(backend), nullptr};
  auto checkpoint = model::Checkpoint::open(path);
  if (!checkpoint) {
    ADD_FAILURE() << checkpoint.error().message;
    return loaded;
  }
  auto model = model::Model::load(*checkpoint, *loaded.backend, {}, {});
  if (!model) {
    ADD_FAILURE() << model.error().message;
    return loaded;
  }
  loaded.model = std::move(*model);
  return loaded;
}

backend::CpuOptions cpu_options(const std::string& level, std::size_t threads, bool exact_activations) {
  backend::CpuOptions options;
  options.level = level;
  options.threads = threads;
  options.exact_activations = exact_activations;
  return options;
}

Loaded load_cpu(const std::string& path, const backend::CpuOptions& options) {
  auto backend = backend::make_cpu_backend(options);
  if (!backend) {
    ADD_FAILURE() << backend.error().message;
    return {};
  }
  return load(path, std::move(*backend));
}

Expected read_expected(const std::string& path) {
  const auto bytes = read_file(path);
  std::uint32_t sizes[2] = {};
  if (bytes.size() < sizeof sizes) return {};
  std::memcpy(sizes, bytes.data(), sizeof sizes);
  Expected expected;
  expected.ids.resize(sizes[0]);
  expected.logits.vocab = sizes[1];
  expected.logits.values.resize(std::size_t{sizes[0]} * sizes[1]);
  const std::size_t id_bytes = expected.ids.size() * sizeof(TokenId);
  const std::size_t logit_bytes = expected.logits.values.size() * sizeof(float);
  EXPECT_EQ(bytes.size(), sizeof sizes + id_bytes + logit_bytes);
  std::memcpy(expected.ids.data(), bytes.data() + sizeof sizes, id_bytes);
  std::memcpy(expected.logits.values.data(), bytes.data() + sizeof sizes + id_bytes, logit_bytes);
  return expected;
}

void run_together(model::Model& model, tensor::KvType kv, std::span<const Sequence> sequences,
                  const Wants& wants, const Take& take) {
  const model::KvGeometry geometry(model.config(), kv);
  model::KvCapacity capacity;
  for (const Sequence& sequence : sequences) {
    const auto own = model::sequence_capacity(
        geometry, {.context_length = sequence.ids.size(), .step_rows = sequence.chunk, .rollback_tokens = 0});
    capacity.global_blocks += own.global_blocks;
    capacity.local_blocks += own.local_blocks;
  }
  engine::KvPool pool(geometry, capacity);
  std::deque<engine::KvSequence> caches;
  for (std::size_t s = 0; s < sequences.size(); ++s) caches.emplace_back(pool, 0);

  struct Place {
    std::size_t sequence;
    std::size_t position;
  };
  while (true) {
    std::vector<model::Row> rows;
    std::vector<model::SequenceKv> views;
    std::vector<model::AdapterList> adapters;
    std::vector<Place> wanted;
    std::vector<std::pair<engine::KvSequence*, std::size_t>> advances;
    for (std::size_t s = 0; s < sequences.size(); ++s) {
      const std::size_t first = caches[s].length();
      const std::size_t count = std::min(sequences[s].chunk, sequences[s].ids.size() - first);
      if (count == 0) continue;
      const auto prepared = caches[s].prepare(count);
      ASSERT_TRUE(prepared) << prepared.error().message;
      for (std::size_t position = first; position < first + count; ++position) {
        model::Row row;
        row.token = sequences[s].ids[position];
        row.sequence = static_cast<std::uint32_t>(views.size());
        row.position = static_cast<std::uint32_t>(position);
        if (wants(position)) {
          row.output = model::RowOutput::kLogits;
          wanted.push_back({s, position});
        }
        rows.push_back(row);
      }
      views.push_back(caches[s].view());
      adapters.emplace_back(sequences[s].adapters);
      advances.emplace_back(&caches[s], count);
    }
    if (rows.empty()) return;
    model::Batch batch;
    batch.rows = rows;
    batch.sequences = views;
    batch.geometry = &geometry;
    batch.adapters = adapters;
    model::BatchOutput output;
    const auto done = model.forward(batch, {}, output);
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_EQ(output.logits.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      take(wanted[i].sequence, wanted[i].position, output.logits[i]);
    }
    for (const auto& [cache, count] : advances) cache->advance(count);
  }
}

std::vector<Logits> logits_together(model::Model& model, tensor::KvType kv,
                                    std::span<const Sequence> sequences) {
  std::vector<Logits> all(sequences.size());
  run_together(
      model, kv, sequences, [](std::size_t) { return true; },
      [&](std::size_t sequence, std::size_t, std::span<const float> logits) {
        all[sequence].vocab = logits.size();
        all[sequence].values.insert(all[sequence].values.end(), logits.begin(), logits.end());
      });
  return all;
}

Logits logits_alone(model::Model& model, tensor::KvType kv, std::span<const TokenId> ids, std::size_t chunk,
                    model::AdapterList adapters) {
  const Sequence sequence{{ids.begin(), ids.end()}, chunk, {adapters.begin(), adapters.end()}};
  return std::move(logits_together(model, kv, {&sequence, 1}).front());
}

double relative_difference(const Logits& actual, const Logits& expected) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (actual.vocab != expected.vocab || actual.values.size() != expected.values.size()) return kInfinity;
  double difference = 0.0;
  double largest = 0.0;
  for (std::size_t i = 0; i < actual.values.size(); ++i) {
    if (!std::isfinite(actual.values[i])) return kInfinity;
    difference = std::max(difference, std::abs(static_cast<double>(actual.values[i]) - expected.values[i]));
    largest = std::max(largest, std::abs(static_cast<double>(expected.values[i])));
  }
  return largest > 0.0 ? difference / largest : kInfinity;
}

std::vector<std::string> level_names() {
  std::vector<std::string> names;
  for (const kernels::Level& level : kernels::levels()) names.emplace_back(level.name);
  return names;
}

bool level_available(const std::string& level) {
  return std::ranges::any_of(kernels::levels(),
                             [&](const kernels::Level& l) { return l.name == level && l.available; });
}

bool level_is_integer_exact(const std::string& level) {
  return std::ranges::any_of(kernels::levels(),
                             [&](const kernels::Level& l) { return l.name == level && l.integer_exact; });
}

std::vector<TokenId> random_ids(std::size_t count, std::size_t vocab, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<TokenId> any(0, static_cast<TokenId>(vocab) - 1);
  std::vector<TokenId> ids(count);
  for (TokenId& id : ids) id = any(random);
  if (!ids.empty()) ids.front() = 2;
  return ids;
}

std::vector<std::byte> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const auto view = std::as_bytes(std::span(bytes));
  return {view.begin(), view.end()};
}

}  // namespace carat::tests
