#include "planner/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/test_files.h"
#include "model/test_tiny_adapter.h"
#include "planner/activations.h"
#include "planner/fit.h"
#include "planner/released.h"
#include "planner/weights.h"

namespace carat::planner {
namespace {

using enum PlanItem;
using tensor::ElementType;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

TEST(MatrixBytes, CountsPanelsOfSixteenRows) {
  // 17 rows are two panels; a Q4_0 row of 64 columns is two blocks of 18 bytes.
  const TensorBytes q4_0 = matrix_bytes(ElementType::kQ4_0, 17, 64);
  EXPECT_EQ(q4_0.parameters, 17U * 64);
  EXPECT_EQ(q4_0.stored, 17U * 36);
  EXPECT_EQ(q4_0.packed, 32U * 36);
  // Row scales are f32.
  EXPECT_EQ(matrix_bytes(ElementType::kInt4, 16, 64).stored, 16U * (32 + 4));
  EXPECT_EQ(matrix_bytes(ElementType::kSFP8, 16, 64).packed, 16U * (64 + 4));
}

TEST(PlanMemory, RoundsSlabsOfWeightsToHugePages) {
  const model::GemmaConfig config = released_config(ReleasedSize::k1B);
  PlanRequest request;
  const MemoryPlan plan = plan_memory(config, types_of(Precision::kBf16, config), request);
  // 26 layers of 51.1 MiB fill 5 or 6 slabs of 256 MiB, the embedding of 576 MiB is one of its own; each ends
  // on a huge page, and so do the two kinds of KV block.
  EXPECT_GT(plan.of(kPageRounding), 0U);
  EXPECT_LE(plan.of(kPageRounding), 9 * 2 * kMiB);
}

TEST(AdapterBytes, AreThoseOfItsPackedMatrices) {
  model::TinyAdapter adapter{.base = released_config(ReleasedSize::k270M), .rank = 17};
  adapter.base.layers = 1;
  adapter.targets = {model::TensorId::kQProj};  // [1024, 640]
  const formats::TestFolder folder;
  const auto file = model::AdapterFile::open(folder.write("adapter.gguf", adapter.gguf()));
  ASSERT_TRUE(file) << file.error().message;
  // Two panels of 16 rows of 640 columns, and 64 of 17 columns, in f32.
  EXPECT_EQ(adapter_bytes(*file), (32U * 640 + 1024U * 17) * 4);

  PlanRequest request;
  const model::GemmaConfig& config = adapter.base;
  const TensorTypes types = types_of(Precision::kQ4_K_M, config);
  const std::uint64_t without = plan_memory(config, types, request).total();
  request.adapter_bytes = 1'000'000;
  const MemoryPlan plan = plan_memory(config, types, request);
  EXPECT_EQ(plan.of(kAdapters), 1'000'000U);
  // It lies beside the weights, and may begin another huge page.
  EXPECT_GE(plan.total() + 2 * kMiB, without + 1'000'000U);
  EXPECT_LE(plan.total(), without + 2 * kMiB);
}

TEST(TypesOf, AreThoseOfTheQuantizer) {
  const model::GemmaConfig config = released_config(ReleasedSize::k270M);  // d_model 640, ffn 2048
  const TensorTypes types = types_of(Precision::kQ4_K_M, config);
  EXPECT_EQ(types(model::TensorId::kEmbedding, 0), ElementType::kQ8_0);
  EXPECT_EQ(types(model::TensorId::kGateProj, 0), ElementType::kQ5_0);
  EXPECT_EQ(types(model::TensorId::kDownProj, 0), ElementType::kQ6_K);
  EXPECT_EQ(types(model::TensorId::kDownProj, 2), ElementType::kQ4_K);
  EXPECT_EQ(types(model::TensorId::kFinalNorm, 0), ElementType::kF32);
  EXPECT_EQ(types(model::TensorId::kHead, 0), std::nullopt);
}

// MiB of a 16-bit cache without rounding: 2 * kv_width * 2 bytes * (global * context + local * window).
TEST(PlanMemory, KeepsOnlyWindowsOfLocalLayers) {
  const struct {
    ReleasedSize size;
    std::size_t context;
    std::uint64_t mebibytes;
  } cases[] = {{ReleasedSize::k270M, 32'768, 103},
               {ReleasedSize::k1B, 8192, 43},
               {ReleasedSize::k4B, 131'072, 2676},
               {ReleasedSize::k12B, 32'768, 2368},
               {ReleasedSize::k27B, 131'072, 10'656}};
  for (const auto& [size, context, mebibytes] : cases) {
    const model::GemmaConfig config = released_config(size);
    PlanRequest request;
    request.context_length = context;
    request.prefill_chunk = 1;
    request.rollback_tokens = 0;
    const MemoryPlan plan = plan_memory(config, types_of(Precision::kBf16, config), request);
    // One more block of local layers for the row of the step and one for where the window starts.
    const model::KvGeometry geometry(config, request.kv_type);
    EXPECT_GE(plan.kv(), mebibytes * kMiB) << name_of(size);
    EXPECT_LE(plan.kv(), (mebibytes + 1) * kMiB + 2 * geometry.local_block_bytes()) << name_of(size);
  }
}

TEST(PlanMemory, GrowsWithUsersAndExtras) {
  const model::GemmaConfig config = released_config(ReleasedSize::k4B);
  const TensorTypes types = types_of(Precision::kInt4Block, config);
  PlanRequest request;
  const MemoryPlan one = plan_memory(config, types, request);
  EXPECT_EQ(one.of(kVisionTower) + one.of(kSnapshots) + one.of(kHeadCopy) + one.of(kHead), 0U);
  request.users = 3;
  request.vision = model::VisionPrecision::kInt8;
  request.snapshots = 2;
  request.head_copy = ElementType::kQ4_0;
  const MemoryPlan three = plan_memory(config, types, request);
  EXPECT_EQ(three.kv(), 3 * one.kv());
  EXPECT_EQ(three.of(kDecoder), one.of(kDecoder));
  EXPECT_EQ(three.of(kHeadCopy), matrix_bytes(ElementType::kQ4_0, config.vocab, config.d_model).packed);
  // 6 windows of 29 layers: 1024 positions touch at most 17 blocks of 64.
  EXPECT_EQ(three.of(kSnapshots), 6U * 17 * 64 * 29 * 2 * 1024 * 2);
  // 417 M parameters, a little over one byte each.
  EXPECT_GT(three.of(kVisionTower), 417'000'000U);
  EXPECT_LT(three.of(kVisionTower), 480'000'000U);
}

TEST(CheckFit, FindsTheLargestOfEach) {
  const model::GemmaConfig config = released_config(ReleasedSize::k1B);
  const TensorTypes types = types_of(Precision::kInt4Block, config);
  PlanRequest request;
  const auto total = [&](std::size_t context, std::size_t users) {
    PlanRequest asked = request;
    asked.context_length = context;
    asked.users = users;
    return plan_memory(config, types, asked).total();
  };
  const std::uint64_t memory = total(request.context_length, 5);
  const FitReport report = check_fit(config, types, request, memory);
  EXPECT_TRUE(report.fits);
  EXPECT_EQ(report.users, 5U);
  ASSERT_TRUE(report.context.has_value());
  EXPECT_LE(total(*report.context, 1), memory);
  EXPECT_TRUE(*report.context == config.max_context || total(*report.context + 64, 1) > memory);
  ASSERT_TRUE(report.precision.has_value());
  EXPECT_LE(plan_memory(config, types_of(*report.precision, config), request).total(), memory);
}

TEST(RequireFit, SaysWhatIsMissingAndWhatWouldFit) {
  const model::GemmaConfig config = released_config(ReleasedSize::k4B);
  const TensorTypes types = types_of(Precision::kInt4Block, config);
  PlanRequest request;
  request.context_length = 131'072;
  const std::uint64_t memory = std::uint64_t{4} << 30;
  const auto refused = require_fit(check_fit(config, types, request, memory), "m.gguf", "this machine");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, ErrorKind::kDoesNotFit);
  EXPECT_THAT(refused.error().message,
              testing::HasSubstr("m.gguf does not fit: with a context of 131072 tokens"));
  EXPECT_THAT(refused.error().message, testing::HasSubstr("this machine has 4.00 GiB; a context of "));
  request.context_length = 64;
  const FitReport nothing = check_fit(config, types, request, 1 << 20);
  EXPECT_EQ(nothing.context, std::nullopt);
  EXPECT_EQ(nothing.users, std::nullopt);
  EXPECT_EQ(nothing.precision, std::nullopt);
  EXPECT_FALSE(require_fit(nothing, "m.gguf", "this machine").has_value());
}

}  // namespace
}  // namespace carat::planner
