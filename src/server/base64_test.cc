#include "server/base64.h"

#include <gtest/gtest.h>

#include <string>

namespace carat::server {
namespace {

std::string decoded(std::string_view text) {
  const auto bytes = decode_base64(text);
  if (!bytes) return "refused";
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

// The vectors of RFC 4648, section 10.
TEST(Base64Test, DecodesTheVectorsOfTheRfc) {
  EXPECT_EQ(decoded(""), "");
  EXPECT_EQ(decoded("Zg=="), "f");
  EXPECT_EQ(decoded("Zm8="), "fo");
  EXPECT_EQ(decoded("Zm9v"), "foo");
  EXPECT_EQ(decoded("Zm9vYg=="), "foob");
  EXPECT_EQ(decoded("Zm9vYmE="), "fooba");
  EXPECT_EQ(decoded("Zm9vYmFy"), "foobar");
}

TEST(Base64Test, TakesBothAlphabetsAndMissingPadding) {
  EXPECT_EQ(decoded("+/+/"), "\xFB\xFF\xBF");
  EXPECT_EQ(decoded("-_-_"), "\xFB\xFF\xBF");
  EXPECT_EQ(decoded("Zg"), "f");
}

TEST(Base64Test, RefusesTheRest) {
  for (const char* text : {"Z", "Zm9vZ", "Zm 9v", "Zm9v\n", "Z===", "=", "Zg==Zg==", "Zm9*"})
    EXPECT_EQ(decoded(text), "refused") << text;
}

}  // namespace
}  // namespace carat::server
