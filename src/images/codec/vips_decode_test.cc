#include "images/codec/vips_decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carat::images {
namespace {

using testing::HasSubstr;

// Which codecs a system has differs; what is said without one does not.
TEST(LoadError, AMissingCodecIsNoDamage) {
  for (const char* reason :
       {"heif: Unsupported feature: Unsupported codec (4.3000)",
        "heifload: No decoding plugin installed for this compression format (11.6003)"}) {
    for (const ImageType type : {ImageType::kHeic, ImageType::kAvif}) {
      const Error error = load_error(type, reason);
      EXPECT_EQ(error.kind, ErrorKind::kFailed);
      EXPECT_THAT(error.message, HasSubstr(name_of(type)));
      EXPECT_THAT(error.message, HasSubstr("install its decoder"));
    }
  }
  EXPECT_THAT(load_error(ImageType::kWebp, "this libvips was built without it").message,
              HasSubstr("this system cannot read WebP"));
}

TEST(LoadError, EverythingElseIs) {
  EXPECT_THAT(load_error(ImageType::kHeic, "heif: Invalid input").message,
              HasSubstr("not a complete HEIC picture: heif: Invalid input"));
  EXPECT_THAT(load_error(ImageType::kPng, "Unsupported").message, HasSubstr("not a complete PNG picture"));
}

}  // namespace
}  // namespace carat::images
