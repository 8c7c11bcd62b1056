#include "worker/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carat::worker {
namespace {

using testing::HasSubstr;

TEST(MessageTest, HeadersComeBackAsTheyWere) {
  const auto header = decode_header(encode_header({MessageKind::kFailed, 77}), 77);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->kind, MessageKind::kFailed);
  EXPECT_EQ(header->length, 77U);
}

TEST(MessageTest, RefusesForeignUnknownAndLongMessages) {
  const HeaderBytes good = encode_header({MessageKind::kDone, 78});
  EXPECT_THAT(decode_header(good, 77).error().message, HasSubstr("78 bytes, where at most 77"));
  for (const std::size_t position : {0, 1, 2, 3}) {
    HeaderBytes foreign = good;
    foreign[position] ^= std::byte{0x10};
    EXPECT_THAT(decode_header(foreign, 100).error().message, HasSubstr("another version"));
  }
  HeaderBytes unknown = good;
  unknown[4] = std::byte{3};
  EXPECT_THAT(decode_header(unknown, 100).error().message, HasSubstr("unknown kind 3"));
}

TEST(MessageTest, ReadersEndWhereTheBytesEnd) {
  MessageWriter writer;
  writer.u32(5);
  writer.u64(1ULL << 40);
  const std::vector<std::byte> bytes = writer.take();
  MessageReader reader(bytes);
  EXPECT_EQ(reader.u32(), 5U);
  EXPECT_EQ(reader.u64(), 1ULL << 40);
  EXPECT_TRUE(reader.rest().empty());
  EXPECT_EQ(reader.u32(), std::nullopt);
  EXPECT_EQ(MessageReader(std::span(bytes).first(3)).u32(), std::nullopt);
  EXPECT_EQ(MessageReader(std::span(bytes).first(7)).u64(), std::nullopt);
}

}  // namespace
}  // namespace carat::worker
