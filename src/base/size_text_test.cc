#include "base/size_text.h"

#include <gtest/gtest.h>

namespace carat {
namespace {

TEST(SizeText, FilesAreCountedInUnitsOfTen) {
  EXPECT_EQ(file_size_text(0), "0 bytes");
  EXPECT_EQ(file_size_text(999), "999 bytes");
  EXPECT_EQ(file_size_text(1'000), "1.0 kB");
  EXPECT_EQ(file_size_text(4'649), "4.6 kB");
  EXPECT_EQ(file_size_text(999'949), "999.9 kB");
  EXPECT_EQ(file_size_text(999'950), "1.0 MB");
  EXPECT_EQ(file_size_text(253'060'000), "253.1 MB");
  EXPECT_EQ(file_size_text(2'489'757'856), "2.49 GB");
  EXPECT_EQ(file_size_text(999'999'999), "1.00 GB");
  EXPECT_EQ(file_size_text(54'000'000'000), "54.00 GB");
}

TEST(SizeText, MemoryIsCountedInUnitsOfTwo) {
  EXPECT_EQ(memory_size_text(0), "0.0 MiB");
  EXPECT_EQ(memory_size_text(std::uint64_t{139} << 20), "139.0 MiB");
  EXPECT_EQ(memory_size_text((std::uint64_t{1} << 30) - 1), "1024.0 MiB");
  EXPECT_EQ(memory_size_text(std::uint64_t{5} << 29), "2.50 GiB");
}

}  // namespace
}  // namespace carat
