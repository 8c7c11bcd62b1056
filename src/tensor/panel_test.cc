#include "tensor/panel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <vector>

#include "tensor/test_stored_rows.h"

namespace carat::tensor {
namespace {

std::vector<std::size_t> column_counts(ElementType type) {
  switch (info(type).block_values) {
    case 1: return {1, 2, 3, 16, 31, 32, 67, 640};
    case 32: return {32, 64, 96, 640};
    default: return {256, 512, 1024};
  }
}

class PanelTest : public testing::TestWithParam<ElementType> {};

// Values compare equal, not only near: a half times a sub-scale of up to 8 bits times a code of up to 8 bits
// is exact in 24 bits for every type (8-bit codes have no sub-scale), so the only rounding is that of adding
// the min, and both do it once. A zero may differ in sign, which == does not see.
TEST_P(PanelTest, UnpackedRowsEqualTheFilesValues) {
  for (const Magnitudes magnitudes : {Magnitudes::kOrdinary, Magnitudes::kAnyFinite}) {
    for (const std::size_t columns : column_counts(GetParam())) {
      SCOPED_TRACE(columns);
      const PanelLayout layout = panel_layout(GetParam(), columns);
      const StoredRows stored = random_stored_rows(GetParam(), kPanelRows, columns, columns, magnitudes);
      for (std::size_t rows = 1; rows <= kPanelRows; ++rows) {
        std::vector<std::byte> panel(layout.bytes, std::byte{0xA5});
        ASSERT_TRUE(pack_panel(layout, stored.rows(0, rows), rows, stored.scales(0, rows), panel));
        for (std::size_t row = 0; row < kPanelRows; ++row) {
          std::vector<float> out(columns, std::numeric_limits<float>::quiet_NaN());
          unpack_row(layout, panel, row, out);
          // Rows that do not exist decode to zeros.
          const std::vector<float> expected =
              row < rows ? stored.values(row) : std::vector<float>(columns, 0.0F);
          ASSERT_EQ(out, expected) << "row " << row << " of " << rows;
        }
      }
    }
  }
}

TEST_P(PanelTest, WritesNothingBehindThePanel) {
  const std::size_t columns = column_counts(GetParam()).front();
  const PanelLayout layout = panel_layout(GetParam(), columns);
  const StoredRows stored = random_stored_rows(GetParam(), kPanelRows, columns, 1);
  std::vector<std::byte> panel(layout.bytes + 64, std::byte{0xA5});
  ASSERT_TRUE(pack_panel(layout, stored.bytes, kPanelRows, stored.row_scales, panel));
  EXPECT_TRUE(std::all_of(panel.end() - 64, panel.end(), [](std::byte b) { return b == std::byte{0xA5}; }));
}

TEST_P(PanelTest, RefusesWhatIsNotFinite) {
  const std::size_t columns = column_counts(GetParam()).back();
  const PanelLayout layout = panel_layout(GetParam(), columns);
  std::vector<std::byte> panel(layout.bytes);
  const std::size_t block = info(GetParam()).block_bytes;
  // Bits of infinities and NaN in the type of the field, which is the upper part of the four bytes for BF16.
  std::vector<std::uint32_t> bad = {0x7C00, 0xFC00, 0x7E00, 0x7C01, 0xFFFF};
  std::size_t bytes = 2;
  if (GetParam() == ElementType::kF32) {
    bad = {0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF};
    bytes = 4;
  } else if (GetParam() == ElementType::kBF16) {
    bad = {0x7F80, 0xFF80, 0x7FC0, 0x7F81, 0xFFFF};
  }
  std::vector<std::size_t> fields = {0};
  if (!is_float_type(GetParam())) {
    const HalfFields halves = half_fields(GetParam());
    fields = {halves.scale};
    if (halves.min != kNoField) fields.push_back(halves.min);
  }
  // Of row-scaled types only the scales can be so; the byte that SFP8 reserves is tested below.
  if (layout.row_scaled) fields.clear();
  for (const std::size_t field : fields) {
    for (const std::uint32_t bits : bad) {
      for (const std::size_t row : {std::size_t{0}, std::size_t{4}}) {
        StoredRows stored = random_stored_rows(GetParam(), 5, columns, 2);
        ASSERT_TRUE(pack_panel(layout, stored.bytes, 5, stored.row_scales, panel));
        std::memcpy(stored.bytes.data() + (row + 1) * stored.row_bytes() - block + field, &bits, bytes);
        EXPECT_FALSE(pack_panel(layout, stored.bytes, 5, stored.row_scales, panel))
            << "field " << field << " row " << row;
      }
    }
  }
}

TEST(RowScaledPanelTest, RefusesRowScalesThatAreNotFinite) {
  for (const ElementType type : {ElementType::kInt4, ElementType::kSFP8}) {
    const PanelLayout layout = panel_layout(type, 64);
    std::vector<std::byte> panel(layout.bytes);
    for (const float bad :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      StoredRows stored = random_stored_rows(type, 5, 64, 2);
      ASSERT_TRUE(pack_panel(layout, stored.bytes, 5, stored.row_scales, panel));
      stored.row_scales[4] = bad;
      EXPECT_FALSE(pack_panel(layout, stored.bytes, 5, stored.row_scales, panel)) << info(type).name;
    }
  }
}

TEST(RowScaledPanelTest, RefusesTheByteThatSfp8Reserves) {
  const PanelLayout layout = panel_layout(ElementType::kSFP8, 7);
  StoredRows stored = random_stored_rows(ElementType::kSFP8, 3, 7, 2);
  std::vector<std::byte> panel(layout.bytes);
  ASSERT_TRUE(pack_panel(layout, stored.bytes, 3, stored.row_scales, panel));
  stored.bytes.back() = std::byte{0x80};
  EXPECT_FALSE(pack_panel(layout, stored.bytes, 3, stored.row_scales, panel));
}

// What packing costs. Whole multiples of 256 columns, the widths of real models; panels are padded to 64
// bytes. The K types of 2 and 3 bits grow because their 4- and 6-bit sub-scales become bytes.
TEST_P(PanelTest, IsHardlyLargerThanTheFile) {
  const PanelLayout layout = panel_layout(GetParam(), 2048);
  const double file = 16.0 * static_cast<double>(*row_bytes(GetParam(), 2048));
  const double ratio = static_cast<double>(layout.bytes) / file;
  RecordProperty("bytes_by_file_bytes", std::to_string(ratio));
  const double limit = GetParam() == ElementType::kQ2_K   ? 1.20
                       : GetParam() == ElementType::kQ3_K ? 1.04
                                                          : 1.03;
  EXPECT_LE(ratio, limit);
  EXPECT_GE(ratio, 1.0);  // nothing can be lost
  EXPECT_EQ(layout.bytes % 64, 0u);
}

INSTANTIATE_TEST_SUITE_P(AllTypes, PanelTest, testing::ValuesIn(all_element_types()),
                         [](const auto& type) { return std::string(tensor::info(type.param).name); });

TEST(PanelDeathTest, RefusesBuffersThatDoNotFit) {
  const PanelLayout layout = panel_layout(ElementType::kQ4_0, 32);
  const StoredRows stored = random_stored_rows(ElementType::kQ4_0, 17, 32, 1);
  std::vector<std::byte> panel(layout.bytes);
  std::vector<float> row(32);
  EXPECT_DEATH(pack_panel(layout, stored.bytes, 17, stored.row_scales, panel), "row_count <= kPanelRows");
  EXPECT_DEATH(pack_panel(layout, stored.rows(0, 2), 3, stored.scales(0, 2), panel),
               "row_count <= kPanelRows");
  EXPECT_DEATH(
      pack_panel(layout, stored.rows(0, 2), 2, stored.scales(0, 2), std::span(panel).first(layout.bytes - 1)),
      "row_count");
  EXPECT_DEATH(unpack_row(layout, panel, 16, row), "row < kPanelRows");
  EXPECT_DEATH(unpack_row(layout, panel, 0, std::span(row).first(31)), "row < kPanelRows");
  EXPECT_DEATH(panel_layout(ElementType::kQ4_K, 128), "block_values");
}

}  // namespace
}  // namespace carat::tensor
