#include "prompt/piece.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tokenizer/test_tiny_vocabulary.h"

namespace carat::prompt {
namespace {

class PieceTest : public testing::Test {
 protected:
  PieceTest() {
    tiny_.add("<start_of_image>", 3);
    tiny_.add("<end_of_image>", 3);
    for (const char* newlines : {"\n\n\n", "\n\n\n\n"}) tiny_.add(newlines, 4);
  }

  EncodedPrompt encode_all(const std::vector<Piece>& pieces, const ImageForm& form = {}) const {
    const auto tokenizer = tiny_.build().value();
    return encode(pieces, *tokenizer, form);
  }
  // What the reference does: the whole text at once, soft tokens spelled as their placeholder.
  std::vector<TokenId> whole(std::string_view text) const {
    return tiny_.build().value()->encode(text, tokenizer::ControlTokens::kParse);
  }
  static Image image() { return {make_picture({.width = 1, .height = 1, .pixels = {1, 2, 3}}), false}; }

  tokenizer::TinyVocabulary tiny_;
};

TEST_F(PieceTest, EncodesEachPieceOnItsOwn) {
  const std::vector<Piece> pieces = {Markup{"<bos>he"},      PlainText{"ll"}, PlainText{"<bos>"},
                                     TokenIds{{7, 900'000}}, PlainText{""},   Markup{"<end_of_turn>\n"}};
  std::vector<TokenId> expected = tiny_.ids({"<bos>", "he", "ll", "<", "b", "o", "s", ">"});
  expected.insert(expected.end(), {7, 900'000});
  expected.insert(expected.end(), {tiny_.id("<end_of_turn>"), tiny_.id("\n")});
  EXPECT_EQ(encode_all(pieces).ids, expected);
  EXPECT_TRUE(encode_all({}).ids.empty());
}

TEST_F(PieceTest, NewlinesAroundAnImageMergeWithTheTextBeside) {
  const EncodedPrompt prompt =
      encode_all({Markup{"<bos>"}, PlainText{"he\n"}, image(), PlainText{"\nhe"}, Markup{"<end_of_turn>"}},
                 {.soft_tokens = 3, .crops = {0}});
  EXPECT_EQ(prompt.ids,
            whole("<bos>he\n\n\n<start_of_image><pad><pad><pad><end_of_image>\n\n\nhe<end_of_turn>"));
  ASSERT_EQ(prompt.spans.size(), 1U);
  EXPECT_EQ(prompt.spans[0], (SoftSpan{.begin = 4, .image = 0, .view = 0}));
}

TEST_F(PieceTest, ImagesSideBySideAndAtTheEnds) {
  const EncodedPrompt prompt =
      encode_all({image(), image(), TokenIds{{9}}, image()}, {.soft_tokens = 1, .crops = {0, 0, 0}});
  std::vector<TokenId> expected =
      whole("\n\n<start_of_image><pad><end_of_image>\n\n\n\n<start_of_image><pad><end_of_image>\n\n");
  const std::size_t third = expected.size() + 3;
  expected.push_back(9);
  for (const TokenId id : whole("\n\n<start_of_image><pad><end_of_image>\n\n")) expected.push_back(id);
  EXPECT_EQ(prompt.ids, expected);
  ASSERT_EQ(prompt.spans.size(), 3U);
  EXPECT_EQ(prompt.spans[1].image, 1U);
  EXPECT_EQ(prompt.spans[2], (SoftSpan{.begin = third, .image = 2, .view = 0}));
}

TEST_F(PieceTest, ControlTokensInTheTextBesideAnImageStayText) {
  const EncodedPrompt prompt = encode_all({PlainText{"<bos>"}, image(), PlainText{"<start_of_image>"}},
                                          {.soft_tokens = 1, .crops = {0}});
  EXPECT_EQ(std::ranges::count(prompt.ids, tiny_.id("<start_of_image>")), 1);
  EXPECT_EQ(std::ranges::count(prompt.ids, tiny_.id("<bos>")), 0);
}

TEST_F(PieceTest, CropsComeWithTheReferencesWords) {
  const EncodedPrompt prompt =
      encode_all({PlainText{"he"}, image(), PlainText{"lo"}}, {.soft_tokens = 2, .crops = {2}});
  const std::string sequence = "\n\n<start_of_image><pad><pad><end_of_image>\n\n";
  EXPECT_EQ(prompt.ids,
            whole("heHere is the original image " + sequence +
                  " and here are some crops to help you see better " + sequence + " " + sequence + "lo"));
  ASSERT_EQ(prompt.spans.size(), 3U);
  EXPECT_EQ(prompt.spans[2].view, 2U);
}

TEST_F(PieceTest, ImagesAtTheirPlacesInAText) {
  const std::vector<Image> images = {image(), image()};
  const std::vector<Piece> expected = {PlainText{"a"}, images[0], PlainText{"b"}, images[1]};
  EXPECT_EQ(place_images("a<start_of_image>b<start_of_image>", images), expected);
  EXPECT_EQ(place_images("a <start_of_turn>", {}), std::vector<Piece>{PlainText{"a <start_of_turn>"}});
  for (const char* text : {"a<start_of_image>b", "<start_of_image><start_of_image><start_of_image>"}) {
    const auto placed = place_images(text, images);
    ASSERT_FALSE(placed);
    EXPECT_EQ(placed.error().kind, ErrorKind::kUsage);
  }
}

TEST_F(PieceTest, PicturesAreToldApartByTheirContent) {
  const Image same = image();
  EXPECT_EQ(image(), same);
  EXPECT_NE(image(), (Image{make_picture({.width = 1, .height = 1, .pixels = {1, 2, 4}}), false}));
  EXPECT_NE(make_picture({.width = 2, .height = 1, .pixels = std::vector<std::uint8_t>(6)})->digest,
            make_picture({.width = 1, .height = 2, .pixels = std::vector<std::uint8_t>(6)})->digest);
  EXPECT_NE(image(), (Image{same.picture, true}));
}

}  // namespace
}  // namespace carat::prompt
