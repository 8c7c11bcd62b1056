#include "backend/reference/reference_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>
#include <vector>

namespace carat::backend {
namespace {

using tensor::ElementType;
using tensor::StoredTensor;
using testing::HasSubstr;

std::unique_ptr<ByteSource> source_of(std::span<const float> values) {
  const auto bytes = std::as_bytes(values);
  return memory_source("tiny.gguf", {bytes.begin(), bytes.end()});
}

TEST(ReferenceBackend, PacksAndMultiplies) {
  const std::array<float, 7> stored = {-99, 1, 2, 3, 4, 5, 6};
  const auto source = source_of(stored);
  const auto backend = make_reference_backend();
  const std::array<float, 2> bias = {0.5F, -0.5F};
  const auto linear = backend->pack({"w", source.get(), 4, ElementType::kF32, 2, 3}, bias);
  ASSERT_TRUE(linear) << linear.error().message;
  EXPECT_EQ((*linear)->rows(), 2u);
  EXPECT_EQ((*linear)->columns(), 3u);
  EXPECT_EQ((*linear)->bytes(), 8 * sizeof(float));

  const std::array<float, 3> x = {1, 1, -1};
  std::array<float, 2> out{};
  std::array<float, 2> again{};
  const std::array calls = {LinearCall{linear->get(), {out.data(), 1, 2}},
                            LinearCall{linear->get(), {again.data(), 1, 2}}};
  backend->linear({{x.data(), 1, 3}, {}}, calls);
  EXPECT_EQ(out, (std::array<float, 2>{0.5F, 2.5F}));
  EXPECT_EQ(again, out);

  std::array<float, 3> row{};
  backend->embed(**linear, std::array<std::int32_t, 1>{1}, 2.0F, {row.data(), 1, 3});
  EXPECT_EQ(row, (std::array<float, 3>{8, 10, 12}));
}

TEST(ReferenceBackend, DecodesQuantizedRows) {
  std::vector<std::byte> block(34);  // Q8_0: f16 scale, 32 int8
  block[1] = std::byte{0x38};        // 0.5
  for (std::size_t i = 0; i < 32; ++i) block[2 + i] = static_cast<std::byte>(i);
  const auto source = memory_source("tiny.gguf", block);
  const auto backend = make_reference_backend();
  const auto linear = backend->pack({"w", source.get(), 0, ElementType::kQ8_0, 1, 32}, {});
  ASSERT_TRUE(linear) << linear.error().message;
  std::array<float, 32> row{};
  backend->embed(**linear, std::array<std::int32_t, 1>{0}, 1.0F, {row.data(), 1, 32});
  for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(row[i], 0.5F * static_cast<float>(i));
}

TEST(ReferenceBackend, RefusesValuesThatAreNotFinite) {
  const auto backend = make_reference_backend();
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    const std::array<float, 4> stored = {1, 2, bad, 4};
    const auto source = source_of(stored);
    const auto linear = backend->pack({"blk.3.attn_q.weight", source.get(), 0, ElementType::kF32, 2, 2}, {});
    ASSERT_FALSE(linear);
    EXPECT_EQ(linear.error().kind, ErrorKind::kInvalidModel);
    EXPECT_THAT(linear.error().message, HasSubstr("tiny.gguf: tensor blk.3.attn_q.weight: row 1, column 0"));
  }
  const std::array<float, 2> stored = {1, 2};
  const auto source = source_of(stored);
  const std::array<float, 1> bias = {std::numeric_limits<float>::quiet_NaN()};
  EXPECT_FALSE(backend->pack({"w", source.get(), 0, ElementType::kF32, 1, 2}, bias));
}

TEST(ReferenceBackend, ReportsASourceThatEndsEarly) {
  const std::array<float, 3> stored = {1, 2, 3};
  const auto source = source_of(stored);
  const auto backend = make_reference_backend();
  const auto linear = backend->pack({"w", source.get(), 0, ElementType::kF32, 2, 2}, {});
  ASSERT_FALSE(linear);
  EXPECT_EQ(linear.error().kind, ErrorKind::kInvalidModel);
}

TEST(ReferenceBackend, RefusesRowsThatAreNoWholeBlocks) {
  const auto source = memory_source("tiny.gguf", std::vector<std::byte>(100));
  const auto backend = make_reference_backend();
  const auto linear = backend->pack({"w", source.get(), 0, ElementType::kQ4_0, 1, 33}, {});
  ASSERT_FALSE(linear);
  EXPECT_THAT(linear.error().message, HasSubstr("1 x 33 values of Q4_0"));
}

}  // namespace
}  // namespace carat::backend
