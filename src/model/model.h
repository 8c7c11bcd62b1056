#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "model/batch.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/decoder_block.h"
#include "model/step_rows.h"

namespace carat::model {

// Called while weights are read: bytes of the file done, and bytes in all.
using LoadProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Rows whose logits are held at a time: 262,144 of them are 1 MiB a row.
inline constexpr std::size_t kHeadRows = 32;

// A Gemma 3 text model, packed for one backend. Holds weights and scratch, no KV cache. One caller at a time.
class Model {
 public:
  // Reads and packs every tensor; the checkpoint is not needed afterwards. kInterrupted when `stop` is
  // requested, otherwise the errors of the reader and of Backend::pack. The backend outlives the model.
  static Result<std::unique_ptr<Model>> load(const Checkpoint& checkpoint, backend::Backend& backend,
                                             const LoadProgress& progress, const std::stop_token& stop);

  const GemmaConfig& config() const { return config_; }
  std::size_t weight_bytes() const;  // memory held by packed weights
  std::size_t embedding_bytes()
      const;  // the embedding's share of it, which is also the head where that is tied

  // Runs the rows through the decoder: appends their keys and values to the sequences' blocks and fills
  // `output` for the rows that asked. kInterrupted when `stop` is requested, looked at between layers; the
  // rows' cache slots then hold nothing of use.
  Result<> forward(const Batch& batch, const std::stop_token& stop, BatchOutput& output);

 private:
  Model(const GemmaConfig& config, backend::Backend& backend);

  void embed(const Batch& batch, tensor::MatrixF32 x);
  void collect_wanted(const Batch& batch, std::span<const std::size_t> rows);
  Result<> read_out(const Batch& batch, tensor::ConstMatrixF32 x, const std::stop_token& stop,
                    BatchOutput& output);

  GemmaConfig config_;
  backend::Backend& backend_;
  std::unique_ptr<backend::Linear> embedding_;  // [vocab, d_model]
  std::unique_ptr<backend::Linear> head_;       // null: tied to the embedding
  std::vector<float> final_norm_;               // [d_model]
  std::vector<DecoderBlock> blocks_;

  StepRows rows_;
  Scratch scratch_;
  tensor::OwnedMatrixF32 residual_;    // [tokens, d_model]
  tensor::OwnedMatrixF32 read_;        // [rows read out at once, d_model]
  tensor::OwnedMatrixF32 logits_;      // [rows read out at once, vocab]
  std::vector<std::uint32_t> wanted_;  // tokens that any of those rows allows, as bits; empty: all
};

}  // namespace carat::model
