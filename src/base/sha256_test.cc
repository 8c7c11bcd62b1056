#include "base/sha256.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace carat {
namespace {

std::string hex_of(std::string_view text) { return to_hex(sha256(std::as_bytes(std::span(text)))); }

// The examples of FIPS 180-2, and the hash of nothing.
TEST(Sha256Test, AgreesWithThePublishedExamples) {
  EXPECT_EQ(hex_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256Test, ReadsItsDigitsBackAndNothingElse) {
  const Sha256Digest digest = sha256({});
  const std::string hex = to_hex(digest);
  EXPECT_EQ(digest_from_hex(hex), digest);
  for (const std::string& bad :
       {std::string(), hex.substr(1), hex + "0", std::string("E").append(hex, 1), hex.substr(1) + " "}) {
    EXPECT_FALSE(digest_from_hex(bad)) << bad;
  }
}

TEST(Sha256Test, PiecesGiveTheHashOfTheWhole) {
  const std::string text(1000, 'a');
  for (const std::size_t piece : {1, 63, 64, 65, 999}) {
    Sha256 hash;
    for (std::size_t start = 0; start < text.size(); start += piece) {
      hash.update(std::as_bytes(std::span(text).subspan(start, std::min(piece, text.size() - start))));
    }
    EXPECT_EQ(to_hex(hash.finish()), hex_of(text)) << piece;
  }
}

}  // namespace
}  // namespace carat
