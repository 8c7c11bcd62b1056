#include "model/model.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <utility>

#include "model/top_candidates.h"

namespace carat::model {
namespace {

std::uint64_t stored_bytes(const tensor::StoredTensor& stored) {
  return stored.rows * tensor::row_bytes(stored.type, stored.columns).value_or(0);
}

// What loading will read, for the progress bar.
Result<std::uint64_t> total_bytes(const Checkpoint& checkpoint) {
  std::uint64_t total = 0;
  for (const TensorInfo& tensor : tensor_table()) {
    const std::size_t layers = tensor.per_layer ? checkpoint.config().layers : 1;
    for (std::size_t layer = 0; layer < layers; ++layer) {
      if (!checkpoint.has(tensor.id, layer)) continue;
      CARAT_TRY(const tensor::StoredTensor stored, checkpoint.tensor(tensor.id, layer));
      total += stored_bytes(stored);
    }
  }
  return total;
}

Result<> check_running(const std::stop_token& stop) {
  if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
  return {};
}

// An exponent of all ones is infinity or NaN. Counting in integers is vectorized where looking for the first
// is not: some thousandths of a step.
bool is_finite(std::span<const float> values) {
  std::uint32_t bad = 0;
  for (const float value : values) {
    constexpr std::uint32_t kExponent = 0x7F800000;
    bad += (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent ? 1 : 0;
  }
  return bad == 0;
}

// Adds the rows of x that are no longer finite after this layer. Once bad, a row stays so.
void note_bad_rows(tensor::ConstMatrixF32 x, std::size_t layer, std::vector<BadRow>& bad_rows) {
  for (std::size_t row = 0; row < x.rows(); ++row) {
    if (is_finite(x.row(row)) || std::ranges::find(bad_rows, row, &BadRow::row) != bad_rows.end()) continue;
    bad_rows.push_back({row, layer});
  }
}

}  // namespace

Model::Model(const GemmaConfig& config, backend::Backend& backend)
    : config_(config), backend_(backend), rows_(config) {}

Result<std::unique_ptr<Model>> Model::load(const Checkpoint& checkpoint, backend::Backend& backend,
                                           const LoadProgress& progress, const std::stop_token& stop) {
  const GemmaConfig& config = checkpoint.config();
  std::unique_ptr<Model> model(new Model(config, backend));
  CARAT_TRY(const std::uint64_t total, total_bytes(checkpoint));
  std::uint64_t done = 0;
  const PackTensor pack = [&](TensorId id, std::size_t layer) -> Result<std::unique_ptr<backend::Linear>> {
    CARAT_TRY_VOID(check_running(stop));
    CARAT_TRY(const tensor::StoredTensor stored, checkpoint.tensor(id, layer));
    CARAT_TRY(std::unique_ptr<backend::Linear> packed, backend.pack(stored, {}));
    done += stored_bytes(stored);
    if (progress) progress(done, total);
    return packed;
  };
  model->blocks_.reserve(config.layers);
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    CARAT_TRY(DecoderBlock block, DecoderBlock::load(checkpoint, layer, pack));
    model->blocks_.push_back(std::move(block));
  }
  CARAT_TRY(model->final_norm_, checkpoint.vector(TensorId::kFinalNorm));
  CARAT_TRY(model->embedding_, pack(TensorId::kEmbedding, 0));
  if (checkpoint.has(TensorId::kHead)) {
    CARAT_TRY(model->head_, pack(TensorId::kHead, 0));
  }
  return model;
}

std::size_t Model::weight_bytes() const {
  std::size_t bytes = embedding_->bytes() + final_norm_.size() * sizeof(float);
  if (head_) bytes += head_->bytes();
  for (const DecoderBlock& block : blocks_) bytes += block.weight_bytes();
  return bytes;
}

std::size_t Model::embedding_bytes() const { return embedding_->bytes(); }

Result<> Model::forward(const Batch& batch, const std::stop_token& stop, BatchOutput& output) {
  output.candidates.clear();
  output.logits.clear();
  output.bad_rows.clear();
  if (batch.rows.empty()) return {};
  rows_.prepare(batch);
  const tensor::MatrixF32 x = residual_.resized(batch.rows.size(), config_.d_model);
  embed(batch, x);
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    CARAT_TRY_VOID(check_running(stop));
    blocks_[layer].forward(backend_, batch, rows_, scratch_, x);
    note_bad_rows(x, layer, output.bad_rows);
  }
  return read_out(batch, x, stop, output);
}

void Model::embed(const Batch& batch, tensor::MatrixF32 x) {
  std::vector<std::int32_t> ids;
  ids.reserve(batch.rows.size());
  for (const Row& row : batch.rows) {
    CARAT_CHECK(row.token >= 0 && static_cast<std::size_t>(row.token) < config_.vocab);
    ids.push_back(row.token);
  }
  backend_.embed(*embedding_, ids, config_.embedding_scale(), x);
  for (std::size_t t = 0; t < batch.rows.size(); ++t) {
    if (const float* soft = batch.rows[t].embedding; soft != nullptr)
      std::copy_n(soft, config_.d_model, x.row(t).data());
  }
}

// What the head must compute for these rows together.
void Model::collect_wanted(const Batch& batch, std::span<const std::size_t> rows) {
  wanted_.clear();
  for (const std::size_t t : rows) {
    const Row& row = batch.rows[t];
    const std::span<const std::uint32_t> allowed = row.allowed.words();
    if (row.output == RowOutput::kLogits || row.allowed.is_everything()) return wanted_.clear();
    wanted_.resize(std::max(wanted_.size(), allowed.size()), 0);
    for (std::size_t i = 0; i < allowed.size(); ++i) wanted_[i] |= allowed[i];
  }
}

Result<> Model::read_out(const Batch& batch, tensor::ConstMatrixF32 x, const std::stop_token& stop,
                         BatchOutput& output) {
  std::vector<std::size_t> wanted;
  for (std::size_t t = 0; t < batch.rows.size(); ++t) {
    if (batch.rows[t].output != RowOutput::kNone) wanted.push_back(t);
  }
  const backend::Linear& head = head_ ? *head_ : *embedding_;
  for (std::size_t first = 0; first < wanted.size(); first += kHeadRows) {
    CARAT_TRY_VOID(check_running(stop));
    const std::size_t count = std::min(kHeadRows, wanted.size() - first);
    const tensor::MatrixF32 read = read_.resized(count, config_.d_model);
    std::array<std::uint8_t, kHeadRows> outliers = {};
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t t = wanted[first + i];
      std::copy_n(x.row(t).data(), config_.d_model, read.row(i).data());
      outliers[i] = rows_.outlier_rows()[t];
    }
    backend_.rms_norm(read, final_norm_, config_.norm_epsilon, read);
    const tensor::MatrixF32 logits = logits_.resized(count, config_.vocab);
    collect_wanted(batch, std::span(wanted).subspan(first, count));
    backend_.linear({read, std::span(outliers).first(count)},
                    std::array{backend::LinearCall{.weights = &head, .out = logits, .wanted = wanted_}});
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<const float> row = logits.row(i);
      const Row& asked = batch.rows[wanted[first + i]];
      if (asked.output == RowOutput::kLogits) {
        output.logits.emplace_back(row.begin(), row.end());
      } else {
        output.candidates.push_back(top_candidates(row, output.candidate_count, asked.allowed));
      }
    }
  }
  return {};
}

}  // namespace carat::model
