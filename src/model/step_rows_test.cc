#include "model/step_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "tensor/test_matrix.h"

namespace carat::model {
namespace {

constexpr std::size_t kWindow = 5;

GemmaConfig config() {
  GemmaConfig config;
  config.head_dim = 6;
  config.max_context = 1000;
  config.sliding_window = kWindow;
  config.rope_theta_local = 1e4F;
  config.rope_theta_global = 1e6F;
  config.rope_factor_global = 8.0F;
  return config;
}

Row row_at(std::uint32_t sequence, std::uint32_t position, NonCausalSpan span = {}) {
  Row row;
  row.sequence = sequence;
  row.position = position;
  row.span = span;
  return row;
}

// Whether the reference lets a row see a key: those up to itself and those of its own span, as far as the
// window reaches back.
bool sees(const Row& row, std::uint32_t key, LayerKind kind) {
  const bool in_window = kind == LayerKind::kGlobal || row.position < key + kWindow;
  const bool in_span = row.span.begin <= key && key < row.span.end;
  return in_window && (key <= row.position || in_span);
}

void expect_visible_keys(const StepRows& rows, const Batch& batch) {
  for (const StepRows::Group& group : rows.groups()) {
    for (const LayerKind kind : {LayerKind::kLocal, LayerKind::kGlobal}) {
      const auto visible = rows.visible(group, kind);
      ASSERT_EQ(visible.size(), group.count);
      for (std::size_t i = 0; i < group.count; ++i) {
        const Row& row = batch.rows[group.first + i];
        for (std::uint32_t key = 0; key < 60; ++key) {
          EXPECT_EQ(key >= visible[i].begin && key < visible[i].end, sees(row, key, kind))
              << "key " << key << " for position " << row.position
              << (kind == LayerKind::kLocal ? ", local" : ", global");
        }
      }
    }
  }
}

TEST(StepRows, CausalRowsSeeTheWindowInLocalLayersAndEverythingInGlobalOnes) {
  std::vector<Row> rows;
  for (std::uint32_t position = 0; position < 20; ++position) rows.push_back(row_at(0, position));
  const std::vector<SequenceKv> sequences(1);
  const Batch batch = {rows, sequences, nullptr};
  StepRows step(config());
  step.prepare(batch);
  expect_visible_keys(step, batch);
  const auto local = step.visible(step.groups()[0], LayerKind::kLocal);
  EXPECT_EQ(local[4].begin, 0u);  // the window holds the row itself and four before it
  EXPECT_EQ(local[5].begin, 1u);
  EXPECT_EQ(local[5].end, 6u);
}

TEST(StepRows, RowsOfASpanSeeOneAnotherWhateverTheWindow) {
  std::vector<Row> rows;
  for (std::uint32_t position = 10; position < 40; ++position) {
    const bool in_image = position >= 18 && position < 34;  // longer than the window
    rows.push_back(row_at(0, position, in_image ? NonCausalSpan{18, 34} : NonCausalSpan{}));
  }
  const std::vector<SequenceKv> sequences(1);
  const Batch batch = {rows, sequences, nullptr};
  StepRows step(config());
  step.prepare(batch);
  expect_visible_keys(step, batch);
}

TEST(StepRows, AdjacentRowsOfOneSequenceFormAGroup) {
  const std::vector<Row> rows = {row_at(2, 7),  row_at(2, 8),  row_at(0, 0),
                                 row_at(1, 30), row_at(1, 31), row_at(1, 32)};
  const std::vector<SequenceKv> sequences(3);
  const Batch batch = {rows, sequences, nullptr};
  StepRows step(config());
  step.prepare(batch);
  ASSERT_EQ(step.groups().size(), 3u);
  const std::array<std::array<std::size_t, 3>, 3> expected = {{{0, 2, 2}, {2, 1, 0}, {3, 3, 1}}};
  for (std::size_t g = 0; g < 3; ++g) {
    const StepRows::Group& group = step.groups()[g];
    EXPECT_EQ(group.first, expected[g][0]);
    EXPECT_EQ(group.count, expected[g][1]);
    EXPECT_EQ(group.sequence, expected[g][2]);
  }
  EXPECT_TRUE(std::ranges::equal(step.positions(step.groups()[2]), std::array<std::uint32_t, 3>{30, 31, 32}));
  EXPECT_TRUE(std::ranges::equal(step.outlier_rows(), std::array<std::uint8_t, 6>{0, 0, 1, 0, 0, 0}));  // BOS
  expect_visible_keys(step, batch);
}

TEST(StepRows, RotationsFollowTheKindOfLayer) {
  const std::vector<Row> rows = {row_at(0, 0), row_at(0, 1), row_at(1, 777)};
  const std::vector<SequenceKv> sequences(2);
  StepRows step(config());
  step.prepare({rows, sequences, nullptr});
  const std::array<std::uint32_t, 3> positions = {0, 1, 777};
  const RopeTable local(1e4, 1.0, 6, 1000);  // local positions are never scaled
  const RopeTable global(1e6, 8.0, 6, 1000);
  for (const LayerKind kind : {LayerKind::kLocal, LayerKind::kGlobal}) {
    tensor::GuardedMatrix cos(3, 3);
    tensor::GuardedMatrix sin(3, 3);
    (kind == LayerKind::kLocal ? local : global).fill(positions, cos.view(), sin.view());
    EXPECT_TRUE(bits_equal(step.rotation(kind).cos, cos.view()));
    EXPECT_TRUE(bits_equal(step.rotation(kind).sin, sin.view()));
  }
}

TEST(StepRows, EachStepReplacesTheLast) {
  std::vector<Row> many;
  for (std::uint32_t position = 0; position < 50; ++position) many.push_back(row_at(0, position));
  const std::vector<Row> one = {row_at(0, 50)};
  const std::vector<SequenceKv> sequences(1);
  StepRows step(config());
  step.prepare({many, sequences, nullptr});
  const Batch batch = {one, sequences, nullptr};
  step.prepare(batch);
  ASSERT_EQ(step.groups().size(), 1u);
  EXPECT_EQ(step.groups()[0].count, 1u);
  EXPECT_EQ(step.outlier_rows().size(), 1u);
  EXPECT_EQ(step.rotation(LayerKind::kGlobal).cos.rows(), 1u);
  expect_visible_keys(step, batch);
}

TEST(StepRowsDeathTest, RefusesASequenceThatIsNotThere) {
  const std::vector<Row> rows = {row_at(1, 0)};
  const std::vector<SequenceKv> sequences(1);
  StepRows step(config());
  EXPECT_DEATH(step.prepare({rows, sequences, nullptr}), "row.sequence");
}

}  // namespace
}  // namespace carat::model
