// What a Model does around its arithmetic, on a tiny checkpoint and the f64 backend: rows, outputs, the head,
// loading and stopping. Its numbers are compared with an independent reference in tests/.

#include "model/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "backend/forwarding_backend.h"
#include "backend/reference/reference_backend.h"
#include "formats/test_files.h"
#include "model/test_tiny_model.h"
#include "model/top_candidates.h"
#include "tensor/test_matrix.h"

namespace carat::model {
namespace {

using tensor::GuardedMatrix;

// Block tables for `positions`, all blocks present, bytes NaN until written.
class Sequence {
 public:
  Sequence(const KvGeometry& geometry, std::size_t positions) {
    const std::size_t blocks = positions / tensor::kKvBlockTokens + 1;
    for (std::size_t i = 0; i < blocks; ++i) {
      storage_.emplace_back(geometry.global_block_bytes(), std::byte{0xFF});
      storage_.emplace_back(geometry.local_block_bytes(), std::byte{0xFF});
    }
    for (std::size_t i = 0; i < blocks; ++i) {
      global_.push_back(storage_[2 * i].data());
      local_.push_back(storage_[2 * i + 1].data());
    }
  }
  SequenceKv kv() const { return {global_, local_}; }

 private:
  std::vector<std::vector<std::byte>> storage_;
  std::vector<std::byte*> global_;
  std::vector<std::byte*> local_;
};

// Hands everything to another backend and keeps which rows each product was told to hold outliers.
class OutlierSpy final : public backend::ForwardingBackend {
 public:
  explicit OutlierSpy(Backend& ops) : ForwardingBackend(ops) {}
  std::vector<std::vector<std::uint8_t>> seen;

  void linear(const backend::LinearInput& input, std::span<const backend::LinearCall> calls) override {
    seen.emplace_back(input.outlier_rows.begin(), input.outlier_rows.end());
    inner().linear(input, calls);
  }
};

class ModelTest : public testing::Test {
 protected:
  // Seven layers, of which the sixth is global; weights of either sign, so that every one of them matters.
  static TinyModel tiny() {
    TinyModel tiny;
    tiny.config.layers = 7;
    tiny.mean = 0.0F;
    tiny.swing = 1.0F;
    return tiny;
  }

  std::unique_ptr<Model> load(const TinyModel& tiny, const LoadProgress& progress = {}) {
    checkpoint_.emplace(*Checkpoint::open(folder_.write("tiny.gguf", tiny.gguf())));
    auto model = Model::load(*checkpoint_, *backend_, progress, {});
    EXPECT_TRUE(model) << model.error().message;
    return *std::move(model);
  }

  static std::vector<Row> rows_of(std::span<const std::int32_t> tokens, std::uint32_t sequence = 0) {
    std::vector<Row> rows;
    for (std::size_t p = 0; p < tokens.size(); ++p) {
      Row row;
      row.token = tokens[p];
      row.sequence = sequence;
      row.position = static_cast<std::uint32_t>(p);
      row.output = RowOutput::kLogits;
      rows.push_back(row);
    }
    return rows;
  }

  // Logits of the rows that ask for them, in batches of at most `chunk` rows.
  std::vector<std::vector<float>> logits(Model& model, std::span<const Row> rows, std::size_t chunk = 1000,
                                         AdapterList adapters = {}) {
    const KvGeometry geometry(model.config(), tensor::KvType::kF32);
    std::vector<Sequence> sequences;
    for (int i = 0; i < 3; ++i) sequences.emplace_back(geometry, 64);
    std::vector<SequenceKv> kv;
    for (const Sequence& sequence : sequences) kv.push_back(sequence.kv());
    const std::vector<AdapterList> lists(3, adapters);
    std::vector<std::vector<float>> all;
    for (std::size_t first = 0; first < rows.size(); first += chunk) {
      BatchOutput output;
      const auto part = rows.subspan(first, std::min(chunk, rows.size() - first));
      const auto done = model.forward({part, kv, &geometry, lists}, {}, output);
      EXPECT_TRUE(done);
      all.insert(all.end(), output.logits.begin(), output.logits.end());
    }
    return all;
  }

  static double largest_difference(const std::vector<std::vector<float>>& a,
                                   const std::vector<std::vector<float>>& b) {
    EXPECT_EQ(a.size(), b.size());
    double largest = 0.0;
    for (std::size_t t = 0; t < std::min(a.size(), b.size()); ++t) {
      for (std::size_t i = 0; i < a[t].size(); ++i) {
        const double difference = std::fabs(static_cast<double>(a[t][i]) - b[t][i]);
        largest = difference <= largest ? largest : difference;  // NaN counts as largest
      }
    }
    return largest;
  }

  formats::TestFolder folder_;
  std::unique_ptr<backend::Backend> backend_ = backend::make_reference_backend();
  std::optional<Checkpoint> checkpoint_;
};

const std::vector<std::int32_t> kTokens = {2, 5, 11, 0, 7, 7, 3, 9, 1, 10, 4, 8};

TEST_F(ModelTest, ChunksAndOtherSequencesChangeNothing) {
  const auto model = load(tiny());
  const std::vector<Row> rows = rows_of(kTokens);
  const auto whole = logits(*model, rows);
  ASSERT_EQ(whole.size(), kTokens.size());
  for (const std::size_t chunk : {1, 5, 11}) EXPECT_EQ(logits(*model, rows, chunk), whole) << chunk;

  std::vector<Row> mixed = rows_of(std::vector<std::int32_t>{6, 6, 1}, 2);
  mixed.insert(mixed.end(), rows.begin(), rows.end());
  const std::vector<Row> third = rows_of(std::vector<std::int32_t>{3}, 1);
  mixed.insert(mixed.end(), third.begin(), third.end());
  const auto all = logits(*model, mixed);
  ASSERT_EQ(all.size(), 3 + kTokens.size() + 1);
  for (std::size_t t = 0; t < kTokens.size(); ++t) EXPECT_EQ(all[3 + t], whole[t]) << t;
}

TEST_F(ModelTest, RowsYieldWhatTheyAskForInOrder) {
  const auto model = load(tiny());
  std::vector<Row> rows = rows_of(kTokens);
  const auto whole = logits(*model, rows);
  for (std::size_t t = 0; t < rows.size(); ++t) {
    rows[t].output = t % 3 == 0   ? RowOutput::kNone
                     : t % 3 == 1 ? RowOutput::kLogits
                                  : RowOutput::kTopCandidates;
  }
  const KvGeometry geometry(model->config(), tensor::KvType::kF32);
  const Sequence sequence(geometry, 64);
  const std::vector<SequenceKv> kv = {sequence.kv()};
  BatchOutput output;
  output.candidate_count = 5;
  output.logits.resize(9);  // left from an earlier step
  ASSERT_TRUE(model->forward({rows, kv, &geometry}, {}, output));
  ASSERT_EQ(output.logits.size(), 4u);
  ASSERT_EQ(output.candidates.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(output.logits[i], whole[3 * i + 1]);
    const auto expected = top_candidates(whole[3 * i + 2], 5);
    ASSERT_EQ(output.candidates[i].size(), 5u);
    for (std::size_t c = 0; c < 5; ++c) EXPECT_EQ(output.candidates[i][c].token, expected[c].token);
  }
}

TEST_F(ModelTest, RowsChooseAmongWhatTheyAllow) {
  const auto model = load(tiny());
  std::vector<Row> rows = rows_of(kTokens);
  const auto whole = logits(*model, rows);
  const std::vector<std::uint32_t> even(1, 0x55555555U);
  const std::vector<std::uint32_t> one(1, 8U);
  const TokenSet sets[] = {TokenSet(even), TokenSet(one), TokenSet()};
  for (const std::size_t kinds : {2, 3}) {  // without and with a row that wants the whole head
    for (std::size_t t = 0; t < rows.size(); ++t) {
      rows[t].output = RowOutput::kTopCandidates;
      rows[t].allowed = sets[t % kinds];
    }
    const KvGeometry geometry(model->config(), tensor::KvType::kF32);
    const Sequence sequence(geometry, 64);
    const std::vector<SequenceKv> kv = {sequence.kv()};
    BatchOutput output;
    output.candidate_count = 3;
    ASSERT_TRUE(model->forward({rows, kv, &geometry}, {}, output));
    for (std::size_t t = 0; t < rows.size(); ++t) {
      const auto expected = top_candidates(whole[t], 3, sets[t % kinds]);
      ASSERT_EQ(output.candidates[t].size(), expected.size());
      for (std::size_t c = 0; c < expected.size(); ++c) {
        EXPECT_EQ(output.candidates[t][c].token, expected[c].token);
        EXPECT_EQ(output.candidates[t][c].logit, expected[c].logit);
      }
    }
  }
}

// The head works on 32 rows at a time.
TEST_F(ModelTest, ReadsOutMoreRowsThanTheHeadTakesAtOnce) {
  const auto model = load(tiny());
  std::vector<std::int32_t> tokens(60);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(5 * i % 12);
  const std::vector<Row> rows = rows_of(tokens);
  EXPECT_EQ(logits(*model, rows), logits(*model, rows, 7));
}

TEST_F(ModelTest, AnEmptyBatchYieldsNothing) {
  const auto model = load(tiny());
  BatchOutput output;
  output.logits.resize(2);
  ASSERT_TRUE(model->forward({}, {}, output));
  EXPECT_TRUE(output.logits.empty() && output.candidates.empty());
}

// A row may bring its own embedding, which is not scaled.
TEST_F(ModelTest, AnEmbeddingRowStandsForAToken) {
  const auto model = load(tiny());
  std::vector<Row> rows = rows_of(kTokens);
  const auto whole = logits(*model, rows);
  const auto table = *backend_->pack(*checkpoint_->tensor(TensorId::kEmbedding), {});
  GuardedMatrix soft(1, model->config().d_model);
  backend_->embed(*table, std::vector<std::int32_t>{kTokens[4]}, model->config().embedding_scale(),
                  soft.view());
  rows[4].token = 0;
  rows[4].embedding = soft.data();
  EXPECT_EQ(logits(*model, rows), whole);
}

// The rows of a span see those behind them: the first row's logits depend on the last token.
TEST_F(ModelTest, SpansAreNotCausal) {
  const auto model = load(tiny());
  std::vector<Row> rows = rows_of(kTokens);
  const auto causal = logits(*model, rows);
  rows.back().token = 6;
  const auto changed = logits(*model, rows);
  for (std::size_t t = 0; t + 1 < rows.size(); ++t) EXPECT_EQ(changed[t], causal[t]);
  for (Row& row : rows) row.span = {0, 12};
  const auto both_ways = logits(*model, rows);
  rows.back().token = kTokens.back();
  EXPECT_NE(logits(*model, rows)[0], both_ways[0]);
}

// Position 0 is where Gemma's BOS puts outliers; a quantizing backend learns of it at every product, the
// head's included, which sees only the rows that want logits.
TEST_F(ModelTest, EveryProductKnowsTheRowsThatHoldOutliers) {
  load(tiny());
  OutlierSpy spy(*backend_);
  auto model = Model::load(*checkpoint_, spy, {}, {});
  ASSERT_TRUE(model);
  std::vector<Row> rows = rows_of(std::vector<std::int32_t>{4, 5, 6}, 0);
  const std::vector<Row> second = rows_of(std::vector<std::int32_t>{7, 8}, 1);
  rows.insert(rows.end(), second.begin(), second.end());
  rows[0].output = RowOutput::kNone;
  logits(**model, rows);
  ASSERT_EQ(spy.seen.size(), 7 * 4 + 1u);  // q, k, v; o; gate, up; down; and the head
  for (std::size_t i = 0; i < spy.seen.size(); ++i) {
    const auto expected = i + 1 < spy.seen.size() ? std::vector<std::uint8_t>{1, 0, 0, 1, 0}
                                                  : std::vector<std::uint8_t>{0, 0, 1, 0};
    EXPECT_EQ(spy.seen[i], expected) << i;
  }
}

TEST_F(ModelTest, AHeadOfItsOwnIsUsedWhereThereIsOne) {
  const std::vector<Row> rows = rows_of(kTokens);
  const auto tied = load(tiny());
  const auto tied_logits = logits(*tied, rows);
  TinyModel separate = tiny();
  separate.add = [](formats::GgufWriter& writer) {
    std::vector<float> head(12 * 8, 0.0F);
    for (std::size_t id = 0; id < 12; ++id) head[id * 8 + id % 8] = 1.0F;
    writer.add_tensor("output.weight", tensor::ElementType::kF32, std::array<std::uint64_t, 2>{12, 8},
                      std::as_bytes(std::span(head)));
  };
  const auto model = load(separate);
  const auto actual = logits(*model, rows);
  for (std::size_t t = 0; t < rows.size(); ++t) {
    for (std::size_t id = 8; id < 12; ++id)
      EXPECT_EQ(actual[t][id], actual[t][id - 8]);  // equal rows of the head
  }
  EXPECT_NE(actual, tied_logits);
  EXPECT_EQ(model->weight_bytes(), tied->weight_bytes() + 12 * 8 * sizeof(float));
  EXPECT_EQ(model->embedding_bytes(), 12 * 8 * sizeof(float));
}

TEST_F(ModelTest, LoadingReportsProgressToTheEnd) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> reports;
  load(tiny(), [&](std::uint64_t done, std::uint64_t total) { reports.emplace_back(done, total); });
  ASSERT_EQ(reports.size(), 7 * 7 + 1u);  // seven matrices a layer, and the embedding
  std::uint64_t last = 0;
  for (const auto& [done, total] : reports) {
    EXPECT_GT(done, last);
    EXPECT_LE(done, total);
    last = done;
  }
  EXPECT_GE(last * 10, reports.back().second * 9);  // all but the norms
}

TEST_F(ModelTest, LoadingStopsWhenAsked) {
  checkpoint_.emplace(*Checkpoint::open(folder_.write("tiny.gguf", tiny().gguf())));
  std::stop_source stop;
  std::size_t tensors = 0;
  const auto model = Model::load(
      *checkpoint_, *backend_,
      [&](std::uint64_t, std::uint64_t) {
        stop.request_stop();
        ++tensors;
      },
      stop.get_token());
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(tensors, 1u);  // none after the request
}

TEST_F(ModelTest, ForwardStopsWhenAskedAndTheModelStaysUsable) {
  const auto model = load(tiny());
  const std::vector<Row> rows = rows_of(kTokens);
  const auto expected = logits(*model, rows);
  const KvGeometry geometry(model->config(), tensor::KvType::kF32);
  const Sequence sequence(geometry, 64);
  const std::vector<SequenceKv> kv = {sequence.kv()};
  std::stop_source stop;
  stop.request_stop();
  BatchOutput output;
  const auto stopped = model->forward({rows, kv, &geometry}, stop.get_token(), output);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted);
  EXPECT_TRUE(output.logits.empty());
  EXPECT_EQ(logits(*model, rows), expected);
}

TEST_F(ModelTest, LoadingNamesABrokenTensor) {
  TinyModel broken = tiny();
  broken.first_values["blk.3.ffn_up.weight"] = std::nanf("");
  checkpoint_.emplace(*Checkpoint::open(folder_.write("tiny.gguf", broken.gguf())));
  const auto model = Model::load(*checkpoint_, *backend_, {}, {});
  EXPECT_TRUE(formats::is_error(model, ErrorKind::kInvalidModel, {"blk.3.ffn_up.weight"}));
}

TEST_F(ModelTest, LoadingTellsOfAFileThatShrinksMeanwhile) {
  const std::string path = folder_.write("tiny.gguf", tiny().gguf());
  checkpoint_.emplace(*Checkpoint::open(path));
  bool shrunk = false;
  const LoadProgress shrink = [&](std::uint64_t, std::uint64_t) {
    if (!std::exchange(shrunk, true)) std::filesystem::resize_file(path, 100);
  };
  const auto model = Model::load(*checkpoint_, *backend_, shrink, {});
  EXPECT_TRUE(shrunk);
  EXPECT_TRUE(formats::is_error(model, ErrorKind::kInvalidModel, {path, "changed while it was being read"}));
}

}  // namespace
}  // namespace carat::model
