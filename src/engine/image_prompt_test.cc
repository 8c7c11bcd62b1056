#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "backend/reference/reference_backend.h"
#include "base/test_fixture.h"
#include "engine/local_engine.h"
#include "engine/test_requests.h"
#include "formats/test_files.h"

namespace carat::engine {
namespace {

using formats::is_error;
using prompt::GenerationRequest;
using prompt::Image;
using prompt::Markup;
using prompt::PlainText;
using prompt::TokenIds;

// An image has 16 soft tokens, the window 6 positions.
LoadedModel& seeing_model() {
  static const std::unique_ptr<LoadedModel> model =
      load_model(test_fixture("tiny_vision/short_window"), backend::make_reference_backend(), {}, {}).value();
  return *model;
}

Image picture(std::uint8_t shade, std::size_t width = 30, std::size_t height = 20) {
  RgbImage pixels{.width = width, .height = height, .pixels = std::vector<std::uint8_t>(3 * width * height)};
  for (std::size_t i = 0; i < pixels.pixels.size(); ++i) {
    pixels.pixels[i] = static_cast<std::uint8_t>(shade + 37 * i);
  }
  return {prompt::make_picture(std::move(pixels)), false};
}

GenerationRequest ask_to_see(std::vector<prompt::Piece> pieces) {
  GenerationRequest request{.prompt = std::move(pieces), .sampling = {}};
  request.sampling.temperature = 0;
  request.sampling.max_tokens = 12;
  request.sampling.logit_bias = {{1, -100.0F}, {106, -100.0F}};  // no end by chance
  return request;
}

class ImagePromptTest : public testing::Test {
 protected:
  struct Answer {
    GenerationResult result;
    std::size_t looks = 0;  // views that were read
  };

  std::unique_ptr<LocalEngine> make(std::size_t chunk = 512, const ImageCacheOptions& cache = {}) const {
    LocalEngineOptions options;
    options.context_length = 300;
    options.prefill_chunk = chunk;
    options.kv_type = tensor::KvType::kF32;
    options.image_cache = cache;
    return LocalEngine::create(seeing_model(), options, clock_).value();
  }
  static Answer answer(LocalEngine& engine, const GenerationRequest& request) {
    Answer out;
    const auto sink = [&](const Event& event) {
      if (const auto* look = std::get_if<ImageProgress>(&event)) out.looks = look->total;
    };
    auto result = generate(engine, request, sink, {});
    EXPECT_TRUE(result) << result.error().message;
    out.result = *std::move(result);
    return out;
  }

  ManualClock clock_;
};

TEST_F(ImagePromptTest, AnswersDependOnThePictureAndNotOnTheChunks) {
  const GenerationRequest request =
      ask_to_see({PlainText{"the user\n"}, picture(1), PlainText{"is it a the?"}});
  const auto expected = answer(*make(), request).result;
  EXPECT_EQ(expected.ids.size(), 12U);
  for (const std::size_t chunk : {1, 5, 17}) {
    EXPECT_EQ(answer(*make(chunk), request).result.ids, expected.ids) << "chunks of " << chunk;
  }
  const auto other =
      answer(*make(), ask_to_see({PlainText{"the user\n"}, picture(90), PlainText{"is it a the?"}})).result;
  EXPECT_NE(other.ids, expected.ids);
  EXPECT_EQ(other.usage.prompt_tokens, expected.usage.prompt_tokens);
}

TEST_F(ImagePromptTest, ASecondQuestionAboutAnImageFindsItInTheCache) {
  const auto engine = make();
  const auto first = answer(*engine, ask_to_see({picture(1), PlainText{"what is it?"}}));
  EXPECT_EQ(first.looks, 1U);
  const std::vector<prompt::Piece> next = {picture(1), PlainText{"what is it?"}, TokenIds{first.result.ids},
                                           PlainText{" and the end?"}};
  const auto second = answer(*engine, ask_to_see(next));
  EXPECT_EQ(second.looks, 0U);
  EXPECT_EQ(second.result.usage.cached_tokens, first.result.usage.prompt_tokens + 11);
  EXPECT_EQ(second.result.ids, answer(*make(), ask_to_see(next)).result.ids);
}

TEST_F(ImagePromptTest, AnotherPictureAtTheSamePlaceIsReadAnew) {
  const auto engine = make();
  const auto prompt_of = [](const Image& image) {
    return ask_to_see({PlainText{"in the end "}, image, PlainText{"what?"}});
  };
  const auto first = answer(*engine, prompt_of(picture(1)));
  const auto second = answer(*engine, prompt_of(picture(50)));
  EXPECT_EQ(second.looks, 1U);
  EXPECT_EQ(second.result.ids, answer(*make(), prompt_of(picture(50))).result.ids);
  EXPECT_LT(second.result.usage.cached_tokens, first.result.usage.prompt_tokens - 16);
  EXPECT_GT(second.result.usage.cached_tokens, 0U);
  // The soft tokens of the first are still in memory: read_images asks for them, the tower is not run.
  EXPECT_EQ(answer(*engine, prompt_of(picture(1))).result.ids, first.result.ids);
}

TEST_F(ImagePromptTest, PixelsOfPlaceholdersAreNotMistakenForText) {
  const auto engine = make();
  const auto first = answer(*engine, ask_to_see({picture(1), PlainText{"he"}}));
  // The same ids as text: sixteen times <pad>.
  std::vector<prompt::Piece> as_text = {PlainText{"\n\n"}, Markup{"<start_of_image>"},
                                        TokenIds{std::vector<TokenId>(16, 0)}, Markup{"<end_of_image>"},
                                        PlainText{"\n\nhe"}};
  const auto second = answer(*engine, ask_to_see(as_text));
  EXPECT_EQ(second.result.usage.prompt_tokens, first.result.usage.prompt_tokens);
  EXPECT_EQ(second.result.usage.cached_tokens, 3U);  // BOS, newlines, start of image
  EXPECT_EQ(second.result.ids, answer(*make(), ask_to_see(as_text)).result.ids);
}

TEST_F(ImagePromptTest, CropsAreViewsOfTheirOwn) {
  Image wide = picture(3, 600, 270);
  const auto plain = answer(*make(), ask_to_see({wide, PlainText{"?"}}));
  wide.pan_and_scan = true;
  const auto cropped = answer(*make(), ask_to_see({wide, PlainText{"?"}}));
  EXPECT_EQ(plain.looks, 1U);
  EXPECT_EQ(cropped.looks, 3U);
}

TEST_F(ImagePromptTest, StoppingWhileLookingLeavesTheEngineUsable) {
  const auto engine = make();
  const GenerationRequest request = ask_to_see({picture(1), picture(2), PlainText{"what?"}});
  std::stop_source stop;
  std::size_t running = 1;
  const auto stopped = std::make_shared<Recorder>([&](const Event& event) {
    if (std::holds_alternative<ImageProgress>(event)) stop.request_stop();
    if (std::holds_alternative<PrefillProgress>(event)) running = 2;  // it went on
  });
  ASSERT_TRUE(engine->submit(request, stopped, stop.get_token()));
  EXPECT_EQ(stopped->result().finish, FinishReason::kInterrupted);
  EXPECT_EQ(running, 1U);
  EXPECT_EQ(engine->status().running, 0U);
  EXPECT_EQ(engine->status().steps, 0U);
  EXPECT_EQ(answer(*engine, request).result.ids, answer(*make(), request).result.ids);
}

// Two look at pictures while a third one decodes: a view at a time, and what comes out is the same.
TEST_F(ImagePromptTest, OthersGoOnWhileImagesAreLookedAt) {
  const GenerationRequest first = ask_to_see({picture(1), picture(2), picture(3), PlainText{"what?"}});
  const GenerationRequest second = ask_to_see({picture(4), picture(5), PlainText{"what is it?"}});
  GenerationRequest text = ask_to_see({PlainText{"in the end"}});
  text.owner = "reader";
  const auto engine = make();
  std::string order;  // of events, written on the engine's thread
  const auto note = [&order](char look, char token) {
    return std::make_shared<Recorder>([&order, look, token](const Event& event) {
      if (std::holds_alternative<ImageProgress>(event)) order += look;
      if (std::holds_alternative<TokenEvent>(event)) order += token;
    });
  };
  const auto a = note('a', 'A');
  const auto b = note('b', 'B');
  const auto c = note('c', 'C');
  {
    const Gate gate(*engine);
    ASSERT_TRUE(engine->submit(first, a, {}));
    ASSERT_TRUE(engine->submit(second, b, {}));
    ASSERT_TRUE(engine->submit(text, c, {}));
  }
  for (const auto& recorder : {a, b, c}) recorder->outcome();
  EXPECT_EQ(a->result().ids, answer(*make(), first).result.ids);
  EXPECT_EQ(b->result().ids, answer(*make(), second).result.ids);
  EXPECT_EQ(c->result().ids, answer(*make(), text).result.ids);
  const std::string beginning = order.substr(0, order.find('A'));
  EXPECT_EQ(order.find("aa"), order.find_last_of('a') - 1) << order;  // only the last view and "all done"
  EXPECT_GE(std::ranges::count(beginning, 'C'), 3) << order;
}

TEST_F(ImagePromptTest, ModelsWithoutATowerSayWhichModelsSee) {
  const auto blind =
      load_model(test_fixture("tiny_models/chat"), backend::make_reference_backend(), {}, {}).value();
  const auto engine = LocalEngine::create(*blind, {.context_length = 100}, clock_).value();
  EXPECT_TRUE(is_error(generate(*engine, ask_to_see({picture(1)}), [](const Event&) {}, {}),
                       ErrorKind::kUsage, {"chat", "text-only", "4B, 12B and 27B", "mmproj"}));
}

class SoftTokenFilesTest : public testing::Test {
 protected:
  static Sha256Digest key(int number) { return sha256(std::as_bytes(std::span(&number, 1))); }
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) found.push_back(entry.path());
    return found;
  }
  std::string folder() const { return root_.path("cache/images"); }

  formats::TestFolder root_;
};

TEST_F(SoftTokenFilesTest, KeepsPrivateFilesAndFindsThemAgain) {
  const SoftTokenFiles store(folder(), 10'000);
  EXPECT_EQ(store.find(key(1), 3), nullptr);
  store.keep(key(1), {1.0F, -2.5F, 3.0F});
  const auto found = store.find(key(1), 3);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found, (SoftTokens{1.0F, -2.5F, 3.0F}));
  EXPECT_EQ(store.find(key(2), 3), nullptr);
  EXPECT_EQ(store.find(key(1), 4), nullptr);
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(folder()).permissions(), perms::owner_all);
  ASSERT_EQ(files().size(), 1U);
  EXPECT_EQ(std::filesystem::status(files()[0]).permissions(), perms::owner_read | perms::owner_write);
}

TEST_F(SoftTokenFilesTest, SpoiltFilesDoNotCount) {
  const SoftTokenFiles store(folder(), 10'000);
  const SoftTokens tokens = {1.0F, 2.0F};
  store.keep(key(1), tokens);
  const std::filesystem::path path = files().at(0);
  const std::vector<std::byte> whole = formats::file_bytes(path.string());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::vector<std::byte> spoilt = whole;
    spoilt[i] ^= std::byte{0x10};
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(spoilt.data()), static_cast<std::streamsize>(spoilt.size()));
    EXPECT_EQ(store.find(key(1), 2), nullptr) << "byte " << i;
  }
  std::filesystem::resize_file(path, whole.size() / 2);
  EXPECT_EQ(store.find(key(1), 2), nullptr);
  store.keep(key(1), tokens);
  EXPECT_NE(store.find(key(1), 2), nullptr);
}

TEST_F(SoftTokenFilesTest, TheFolderStaysSmallByForgettingWhatWasNotUsed) {
  const SoftTokenFiles store(folder(), 3 * 180);  // three files of 80 + 100 bytes
  const SoftTokens tokens(25, 1.0F);
  for (const int number : {1, 2, 3}) {
    store.keep(key(number), tokens);
    const auto path = std::filesystem::path(folder()) / (to_hex(key(number)) + ".softtokens");
    std::filesystem::last_write_time(
        path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(10 - number));
  }
  EXPECT_NE(store.find(key(1), 25), nullptr);  // used last
  store.keep(key(4), tokens);
  EXPECT_EQ(files().size(), 3U);
  EXPECT_EQ(store.find(key(2), 25), nullptr);
  for (const int number : {1, 3, 4}) EXPECT_NE(store.find(key(number), 25), nullptr) << number;
  store.keep(key(5), SoftTokens(1000));
  EXPECT_EQ(store.find(key(5), 1000), nullptr);
}

TEST_F(ImagePromptTest, AnotherRunFindsTheSoftTokensOnDisk) {
  const formats::TestFolder root;
  const ImageCacheOptions cache{.folder = root.path("images")};
  ImageReader first(*seeing_model().vision, cache);
  const auto tokens = first.read(picture(1), 0, {}, {}).value();
  ImageReader second(*seeing_model().vision, cache);
  std::stop_source stopped;
  stopped.request_stop();  // the tower would not run
  const auto again = second.read(picture(1), 0, {}, stopped.get_token());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(**again, *tokens);
  EXPECT_FALSE(second.read(picture(2), 0, {}, stopped.get_token()));
  ImageReader in_memory(*seeing_model().vision, {});
  EXPECT_FALSE(in_memory.read(picture(1), 0, {}, stopped.get_token()));
}

TEST_F(ImagePromptTest, NobodyFindsTheSoftTokensOfAnother) {
  const formats::TestFolder root;
  std::stop_source stopped;
  stopped.request_stop();
  for (const char* folder : {"", "images"}) {
    ImageReader reader(*seeing_model().vision, {.folder = *folder == '\0' ? "" : root.path(folder)});
    const auto tokens = reader.read(picture(1), 0, "ann", {}).value();
    EXPECT_EQ(reader.read(picture(1), 0, "ann", stopped.get_token()).value(), tokens);
    for (const char* other : {"", "an", "bob"}) {
      EXPECT_FALSE(reader.read(picture(1), 0, other, stopped.get_token())) << folder << ' ' << other;
    }
  }
}

TEST_F(ImagePromptTest, MemoryForSoftTokensIsBounded) {
  const std::size_t one = 16 * 24 * sizeof(float);
  ImageReader reader(*seeing_model().vision, {.max_memory_bytes = 2 * one});
  std::vector<std::shared_ptr<const SoftTokens>> held;
  for (const int shade : {1, 2, 3})
    held.push_back(reader.read(picture(static_cast<std::uint8_t>(shade)), 0, {}, {}).value());
  EXPECT_EQ(reader.read(picture(3), 0, {}, {}).value(), held[2]);
  EXPECT_EQ(reader.read(picture(2), 0, {}, {}).value(), held[1]);
  EXPECT_NE(reader.read(picture(1), 0, {}, {}).value(), held[0]);
}

}  // namespace
}  // namespace carat::engine
