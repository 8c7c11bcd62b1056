#include "apps/npy_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace carat::apps {
namespace {

TEST(NpyFile, TheHeaderIsWhatNumPyWrites) {
  // numpy.save(f, numpy.zeros((3, 5), numpy.float32)) writes these 128 bytes first.
  std::string expected("\x93NUMPY\x01\x00\x76\x00", 10);
  expected += "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 5), }";
  expected.resize(127, ' ');
  expected += '\n';
  EXPECT_EQ(npy_header(3, 5), expected);
  for (const std::size_t columns : {1U, 99U, 262144U, 4000000000U}) {
    EXPECT_EQ(npy_header(1000, columns).size() % 64, 0U) << columns;
  }
}

TEST(NpyFile, RowsFollowTheHeader) {
  const std::string path =
      std::filesystem::path(testing::TempDir()) / ("npy_file." + std::to_string(::getpid()) + ".npy");
  auto file = NpyFile::create(path, 2, 3);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_TRUE(file->write_row(std::vector<float>{1, 2, 3}));
  ASSERT_TRUE(file->write_row(std::vector<float>{4, 5, 6}));
  ASSERT_TRUE(file->commit());

  std::ifstream stream(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  std::filesystem::remove(path);
  const std::string header = npy_header(2, 3);
  ASSERT_EQ(bytes.size(), header.size() + 24);
  EXPECT_EQ(bytes.substr(0, header.size()), header);
  std::vector<float> values(6);
  std::memcpy(values.data(), bytes.data() + header.size(), 24);
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(NpyFile, AFullDiskIsSaid) {
  const auto file = NpyFile::create("/dev/full", 1, 1);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::kDiskFull);
}

}  // namespace
}  // namespace carat::apps
