#include "planner/device_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "planner/memory_size.h"

namespace carat::planner {
namespace {

using testing::HasSubstr;

TEST(MemorySize, TellsGiBFromGB) {
  EXPECT_EQ(parse_memory_size("x", "16GiB").value(), std::uint64_t{16} << 30);
  EXPECT_EQ(parse_memory_size("x", "16 GB").value(), 16'000'000'000U);
  EXPECT_EQ(parse_memory_size("x", "1.5GiB").value(), std::uint64_t{3} << 29);
  EXPECT_EQ(parse_memory_size("x", "512MiB").value(), std::uint64_t{512} << 20);
  EXPECT_EQ(parse_memory_size("x", "2TB").value(), 2'000'000'000'000U);
}

TEST(MemorySize, RefusesEverythingElse) {
  for (const char* text : {"", "16", "GiB", "16G", "16gb", "-1GB", "0GB", "nanGB", "infGB", "1e3GB", "16  GB",
                           "16GB ", "2000TiB", "99999999999999999999999999TB", "0x10GB", "16 GiB, NVIDIA"}) {
    const auto size = parse_memory_size("--memory", text);
    ASSERT_FALSE(size.has_value()) << text;
    EXPECT_EQ(size.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(size.error().message, HasSubstr("--memory: expected a size such as 16GiB"));
  }
}

TEST(DeviceList, ReadsNamesSizesAndDescriptions) {
  const auto list = DeviceList::parse("f", "# mine\n\n a-1 = 24 GB, A card, the old one \r\nb.2=16GiB");
  ASSERT_TRUE(list.has_value()) << list.error().message;
  ASSERT_EQ(list->devices().size(), 2U);
  EXPECT_EQ(list->devices()[0].name, "a-1");
  EXPECT_EQ(list->devices()[0].memory, 24'000'000'000U);
  EXPECT_EQ(list->devices()[0].memory_text, "24 GB");
  EXPECT_EQ(list->devices()[0].description, "A card, the old one");
  EXPECT_EQ(list->find("b.2").value().memory, std::uint64_t{16} << 30);
}

TEST(DeviceList, ErrorsNameFileAndLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"a = 1GB\nb", "f:2: expected NAME = SIZE"},
      {"\n= 1GB", "f:2: expected NAME = SIZE"},
      {"A100 = 1GB", "f:1: expected NAME = SIZE"},
      {"a b = 1GB", "f:1: expected NAME = SIZE"},
      {"a = 24, card", "f:1: expected a size such as 16GiB"},
      {"a = 1GB\na = 2GB", "f:2: the device a is there twice"},
      {"a = 1GB, \xff", "f: expected UTF-8"},
  };
  for (const auto& [text, message] : cases) {
    const auto list = DeviceList::parse("f", text);
    ASSERT_FALSE(list.has_value()) << text;
    EXPECT_EQ(list.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(list.error().message, HasSubstr(message));
  }
  std::string many;
  for (int i = 0; i <= 1000; ++i) many += fmt::format("d{} = 1GB\n", i);
  EXPECT_THAT(DeviceList::parse("f", many).error().message, HasSubstr("f:1001: expected at most 1000"));
}

TEST(DeviceList, KnowsDevicesAndOwnOnesReplaceThem) {
  DeviceList list = DeviceList::built_in();
  EXPECT_EQ(list.find("h200-zerogpu-70g").value().memory, 70'000'000'000U);
  const std::size_t known = list.devices().size();
  list.merge(DeviceList::parse("f", "l4-24g = 22 GiB\nmine = 1 GiB").value());
  EXPECT_EQ(list.devices().size(), known + 1);
  EXPECT_EQ(list.find("l4-24g").value().memory, std::uint64_t{22} << 30);
  EXPECT_THAT(list.find("l4-24").error().message, HasSubstr("did you mean 'l4-24g'?"));
}

}  // namespace
}  // namespace carat::planner
