#include "backend/cpu/cpu_linear.h"

#include <algorithm>

#include "base/checked_math.h"

namespace carat::backend {
namespace {

// Tasks of about this many weight bytes: small enough to balance two uneven cores, large enough that handing
// one out costs nothing and memory is read in long runs.
constexpr std::size_t kTaskBytes = std::size_t{64} << 10;
constexpr std::size_t kPanelsAtOnce = 2;  // that a kernel multiplies with many rows

// Whether any row of these panels is: a word holds two panels of 16.
bool is_wanted(std::span<const std::uint32_t> wanted, std::size_t panel, std::size_t count) {
  constexpr std::size_t kPanelsOfWord = 32 / tensor::kPanelRows;
  if (wanted.empty()) return true;
  for (std::size_t i = panel; i < panel + count; ++i) {
    const std::size_t word = i / kPanelsOfWord;
    if (word >= wanted.size()) return false;
    const std::uint32_t bits = wanted[word] >> (i % kPanelsOfWord * tensor::kPanelRows);
    if ((bits & ((1U << tensor::kPanelRows) - 1)) != 0) return true;
  }
  return false;
}

void grow(HugeBuffer& buffer, std::size_t bytes) {
  if (buffer.size() >= bytes) return;
  auto grown = HugeBuffer::allocate(bytes);
  CARAT_CHECK(grown.has_value());  // two panels, or the rows of a batch that the caller sized to fit
  buffer = std::move(*grown);
}

}  // namespace

CpuLinear::CpuLinear(const kernels::Kernels& kernels, const kernels::Kernels* bf16_kernels,
                     parallel::ThreadPool& pool, bool exact_activations)
    : kernels_(kernels),
      bf16_kernels_(bf16_kernels),
      pool_(pool),
      exact_activations_(exact_activations),
      scratch_(pool.size()),
      low_rank_(kernels, pool) {}

void CpuLinear::run(const LinearInput& input, std::span<const LinearCall> calls) {
  if (input.x.rows() == 0) return;
  multiply(input, calls);
  for (const LinearCall& call : calls) {
    for (const LowRank& addition : call.low_rank) low_rank_.add(input.x, addition, call.out);
  }
}

const kernels::Kernels& CpuLinear::kernels_for(const LinearInput& input, const PackedLinear& weights) const {
  const bool rounds = input.rounding != Rounding::kF32 && bf16_kernels_ != nullptr &&
                      weights.layout().type == tensor::ElementType::kBF16;
  return rounds ? *bf16_kernels_ : kernels_;
}

// The rows in every form that a product wants: as they are, quantized, or in bfloat16.
void CpuLinear::prepare_rows(const LinearInput& input, std::span<const LinearCall> calls) {
  const std::size_t tokens = input.x.rows();
  rows_.resize(tokens);
  for (std::size_t t = 0; t < tokens; ++t) rows_[t] = input.x.row(t).data();
  bool any_quantized = false;
  const kernels::Kernels* rounding = nullptr;
  for (const LinearCall& call : calls) {
    const auto& weights = static_cast<const PackedLinear&>(*call.weights);
    const kernels::Kernels& kernels = kernels_for(input, weights);
    any_quantized |= !weights.layout().is_float;
    if (weights.layout().type == tensor::ElementType::kBF16 && kernels.rounds_bf16) rounding = &kernels;
  }
  if (any_quantized) quantized_.quantize(input, exact_activations_, kernels_, pool_);
  if (rounding == nullptr) return;
  const std::size_t pairs = kernels::bf16_pairs(input.x.columns());
  grow(rounded_, tokens * pairs * sizeof(std::uint32_t));
  auto* rounded = reinterpret_cast<std::uint32_t*>(rounded_.data());
  constexpr std::size_t kRowsPerTask = 8;
  pool_.run(ceil_div(tokens, kRowsPerTask), [&](std::size_t task, std::size_t) {
    const std::size_t end = std::min(tokens, (task + 1) * kRowsPerTask);
    for (std::size_t t = task * kRowsPerTask; t < end; ++t)
      rounding->round_bf16(rows_[t], input.x.columns(), rounded + t * pairs);
  });
}

void CpuLinear::multiply(const LinearInput& input, std::span<const LinearCall> calls) {
  prepare_rows(input, calls);
  const std::size_t tokens = input.x.rows();
  products_.resize(calls.size());
  second_terms_.resize(std::max(second_terms_.size(), calls.size()));
  std::size_t tasks = 0;
  std::size_t scratch = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const LinearCall& call = calls[i];
    Product& product = products_[i];
    product.weights = static_cast<const PackedLinear*>(call.weights);
    product.wanted = call.wanted;
    const tensor::PanelLayout& layout = product.weights->layout();
    CARAT_CHECK(call.out.rows() == tokens && call.out.columns() == product.weights->rows());
    CARAT_CHECK(layout.columns == input.x.columns());
    product.out.resize(tokens);
    for (std::size_t t = 0; t < tokens; ++t) product.out[t] = call.out.row(t).data();
    if (!layout.is_float && !quantized_.second_terms().empty()) {
      const MatrixF32 rest =
          second_terms_[i].resized(quantized_.second_terms().size(), product.weights->rows());
      for (std::size_t r = 0; r < rest.rows(); ++r) product.out.push_back(rest.row(r).data());
    }
    product.first_task = tasks;
    product.panels_per_task = std::max<std::size_t>(1, kTaskBytes / layout.bytes);
    if (tokens > kernels::kSmallBatch)
      product.panels_per_task = round_up(product.panels_per_task, kPanelsAtOnce);
    tasks += ceil_div(product.weights->panel_count(), product.panels_per_task);
    scratch = std::max(scratch, kernels::scratch_bytes(layout));
  }
  for (HugeBuffer& buffer : scratch_) grow(buffer, scratch);

  pool_.run(tasks, [&](std::size_t task, std::size_t thread) {
    auto product = std::upper_bound(products_.begin(), products_.end(), task,
                                    [](std::size_t t, const Product& p) { return t < p.first_task; });
    --product;
    run_panels(kernels_for(input, *product->weights), *product, task - product->first_task, thread);
  });

  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (products_[i].weights->layout().is_float) continue;
    const std::span<const std::size_t> second = quantized_.second_terms();
    for (std::size_t r = 0; r < second.size(); ++r) {
      kernels_.add(calls[i].out.row(second[r]).data(), products_[i].out[tokens + r], calls[i].out.columns());
    }
  }
}

void CpuLinear::run_panels(const kernels::Kernels& kernels, const Product& product, std::size_t task,
                           std::size_t thread) {
  const PackedLinear& weights = *product.weights;
  kernels::PanelJob job;
  job.layout = &weights.layout();
  job.activations = quantized_.blocks();
  job.rows = rows_.data();
  job.row_count = product.out.size();
  job.out = product.out.data();
  if (!weights.bias().empty()) {
    job.bias = weights.bias().data();
    job.bias_rows = rows_.size();
  }
  job.bf16_rows = reinterpret_cast<const std::uint32_t*>(rounded_.data());
  job.scratch = scratch_[thread].data();
  const std::size_t last = std::min(weights.panel_count(), (task + 1) * product.panels_per_task);
  // A single row is bound by reading weights: nothing is gained by two panels.
  const std::size_t at_once = job.row_count > kernels::kSmallBatch ? kPanelsAtOnce : 1;
  for (std::size_t panel = task * product.panels_per_task; panel < last; panel += at_once) {
    job.panel = weights.panel(panel).data();
    job.panel_count = std::min(at_once, last - panel);
    if (!is_wanted(product.wanted, panel, job.panel_count)) continue;
    job.out_offset = panel * tensor::kPanelRows;
    const std::size_t last_lane = (panel + job.panel_count - 1) * tensor::kPanelRows;
    job.valid = std::min(tensor::kPanelRows, weights.rows() - last_lane);
    kernels.panel(job);
  }
}

}  // namespace carat::backend
