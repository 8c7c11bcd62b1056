#include "terminal/chat_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>

#include "base/output_file.h"
#include "terminal/conversation_file.h"

namespace carat::terminal {
namespace {

using prompt::Message;
using prompt::Role;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Line = Console::Line;

Line text(std::string line) { return {Line::kText, std::move(line)}; }
Line ctrl_c(bool empty) { return {Line::kInterrupted, "", empty}; }

class ScriptedConsole final : public Console {
 public:
  Line read_line() override {
    if (lines.empty()) return {Line::kEnd, ""};
    Line line = std::move(lines.front());
    lines.pop_front();
    return line;
  }
  void remember(const std::string& line) override { history.push_back(line); }
  Result<> print(std::string_view shown) override {
    if (closed_pipe) return fail(ErrorKind::kClosedPipe, "closed");
    screen += shown;
    return {};
  }
  void show_progress(std::string_view, std::size_t, std::size_t) override {}
  std::stop_token next_interrupt() override {
    interrupt = std::stop_source();
    return interrupt.get_token();
  }

  std::deque<Line> lines;
  std::vector<std::string> history;
  std::string screen;
  std::stop_source interrupt;
  bool closed_pipe = false;
};

// Answers "answer 1", "answer 2", ... with made-up ids, one token a word.
class ScriptedRunner final : public session::TurnRunner {
 public:
  Result<engine::GenerationResult> answer(std::span<const Message> messages,
                                          const prompt::SamplingParams& sampling,
                                          const engine::EventSink& sink,
                                          const std::stop_token& stop) override {
    prompts.emplace_back(messages.begin(), messages.end());
    params = sampling;
    if (next_error) return std::unexpected(*std::exchange(next_error, std::nullopt));
    engine::GenerationResult result;
    const std::vector<std::string> words = {"answer ", std::to_string(prompts.size())};
    for (const std::string& word : words) {
      if (before_word) before_word();
      if (stop.stop_requested()) {
        result.finish = engine::FinishReason::kInterrupted;
        break;
      }
      result.ids.push_back(static_cast<TokenId>(100 + prompts.size()));
      result.text += word;
      sink(engine::TokenEvent{result.ids.back(), word, word, {}});
    }
    result.usage.generated_tokens = result.ids.size();
    result.usage.prompt_tokens = 10;
    return result;
  }
  bool ids_spell_text(const Message& message) const override { return message.text == "known"; }

  std::vector<std::vector<Message>> prompts;
  prompt::SamplingParams params;
  std::optional<Error> next_error;
  std::function<void()> before_word;
};

class ChatViewTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("chat_view." + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<> chat(std::vector<Line> lines, std::vector<std::pair<config::Setting, std::string>> flags = {}) {
    console_.lines.assign(lines.begin(), lines.end());
    config::Sources sources;
    sources.flags = std::move(flags);
    return ChatView(runner_, console_, {"hello\n", config::resolve(sources)->settings, load_image_, 256})
        .run();
  }
  std::string path(const char* name) const { return folder_ / name; }

  ScriptedConsole console_;
  ScriptedRunner runner_;
  LoadImage load_image_;
  std::filesystem::path folder_;
};

std::vector<std::string> texts(const std::vector<Message>& messages) {
  std::vector<std::string> out;
  for (const Message& message : messages) out.push_back(message.text);
  return out;
}

TEST_F(ChatViewTest, AnswersStreamAndKeepTheirIds) {
  ASSERT_TRUE(chat({text("one"), text("  "), text("two"), text("/exit"), text("never")}));
  EXPECT_EQ(console_.screen, "hello\nanswer 1\nanswer 2\n");
  ASSERT_EQ(runner_.prompts.size(), 2U);
  EXPECT_THAT(texts(runner_.prompts[1]), ElementsAre("one", "answer 1", "two"));
  EXPECT_THAT(runner_.prompts[1][1].generated_ids, ElementsAre(101, 101));
  EXPECT_THAT(console_.history, ElementsAre("one", "two", "/exit"));
}

TEST_F(ChatViewTest, TheSystemPromptLeads) {
  ASSERT_TRUE(chat({text("one"), text("/system Be kind."), text("two"), text("/system none"), text("three")},
                   {{config::Setting::kSystem, "Be brief."}}));
  EXPECT_THAT(texts(runner_.prompts[0]), ElementsAre("Be brief.", "one"));
  EXPECT_EQ(runner_.prompts[0][0].role, Role::kSystem);
  EXPECT_THAT(texts(runner_.prompts[1]), ElementsAre("Be kind.", "one", "answer 1", "two"));
  EXPECT_THAT(texts(runner_.prompts[2]), ElementsAre("one", "answer 1", "two", "answer 2", "three"));
}

TEST_F(ChatViewTest, CtrlCStopsTheAnswerAndKeepsWhatThereIs) {
  int words = 0;
  runner_.before_word = [&] {
    if (++words == 2) console_.interrupt.request_stop();
  };
  ASSERT_TRUE(chat({text("one"), text("two")}));
  EXPECT_THAT(console_.screen, HasSubstr("answer \n(stopped)\n"));
  EXPECT_THAT(texts(runner_.prompts[1]), ElementsAre("one", "answer ", "two"));
}

TEST_F(ChatViewTest, ATurnStoppedBeforeItsAnswerIsNotKept) {
  int words = 0;
  runner_.before_word = [&] {
    if (++words == 1) console_.interrupt.request_stop();
  };
  ASSERT_TRUE(chat({text("one"), text("two")}));
  EXPECT_THAT(console_.screen, HasSubstr("error: stopped before the answer began"));
  EXPECT_THAT(texts(runner_.prompts[1]), ElementsAre("two"));
}

TEST_F(ChatViewTest, CtrlCTwiceAtAnEmptyLineLeaves) {
  const auto twice = chat({ctrl_c(true), ctrl_c(true), text("never")});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().kind, ErrorKind::kInterrupted);
  EXPECT_THAT(runner_.prompts, IsEmpty());
  EXPECT_THAT(console_.screen, HasSubstr("Ctrl-C again or Ctrl-D leaves"));
  ASSERT_TRUE(chat({ctrl_c(true), text("one"), ctrl_c(true), ctrl_c(false), ctrl_c(true)}));
}

TEST_F(ChatViewTest, AMessageThatFailsIsNotLost) {
  runner_.next_error = Error{ErrorKind::kFailed, "the prompt has 5000 tokens, the context 4096"};
  {
    std::ofstream(path("notes.txt")) << "notes";
  }
  ASSERT_TRUE(chat({text("/file " + path("notes.txt")), text("too long"), text("shorter"), text("next")}));
  EXPECT_THAT(console_.screen,
              HasSubstr("error: the prompt has 5000 tokens, the context 4096 (your message was "
                        "not sent; the arrow-up key brings it back, '/file none' leaves the files out)"));
  EXPECT_THAT(console_.history, testing::Contains("too long"));
  EXPECT_THAT(texts(runner_.prompts[1]), ElementsAre("notes.txt:\n```\nnotes\n```\n\nshorter"));
  EXPECT_EQ(runner_.prompts[2].back().text, "next") << "a file goes along once";
}

TEST_F(ChatViewTest, AFileCanBeTakenBack) {
  ASSERT_TRUE(write_file(path("notes.txt"), "notes"));
  ASSERT_TRUE(chat({text("/file " + path("notes.txt")), text("/file none"), text("alone")}));
  EXPECT_THAT(texts(runner_.prompts[0]), ElementsAre("alone"));
}

TEST_F(ChatViewTest, APictureGoesWithTheNextMessageOnly) {
  load_image_ = [](const std::string& file, const std::stop_token&) -> Result<prompt::Image> {
    if (file == "bad.png") return fail(ErrorKind::kFailed, "bad.png: no picture");
    return prompt::Image{prompt::make_picture({.width = 2, .height = 1, .pixels = {1, 2, 3, 4, 5, 6}}),
                         false};
  };
  ASSERT_TRUE(chat({text("/image a.png"), text("/image bad.png"), text("one"), text("two"),
                    text("/image a.png"), text("/image none"), text("three")}));
  EXPECT_THAT(console_.screen, HasSubstr("(a.png, 2 x 1 pixels, goes with the next message: 256 tokens)"));
  EXPECT_THAT(console_.screen, HasSubstr("error: bad.png: no picture"));
  EXPECT_EQ(runner_.prompts.at(0).back().images.size(), 1U);
  EXPECT_EQ(runner_.prompts.at(1).front().images.size(), 1U) << "it stays in the conversation";
  EXPECT_THAT(runner_.prompts.at(1).back().images, IsEmpty());
  EXPECT_THAT(runner_.prompts.at(2).back().images, IsEmpty());
}

TEST_F(ChatViewTest, CropsAreForThePicturesToCome) {
  load_image_ = [](const std::string&, const std::stop_token&) -> Result<prompt::Image> {
    std::vector<std::uint8_t> pixels(std::size_t{3} * 900 * 300);
    return prompt::Image{prompt::make_picture({.width = 900, .height = 300, .pixels = std::move(pixels)}),
                         false};
  };
  ASSERT_TRUE(chat({text("/image a.png"), text("/crops"), text("/image a.png"), text("one"),
                    text("/crops off"), text("/image a.png"), text("/crops maybe"), text("two")}));
  EXPECT_THAT(console_.screen, HasSubstr("next message: 256 tokens)"));
  EXPECT_THAT(console_.screen, HasSubstr("in 2 to 4 crops too, 256 tokens each)"));
  EXPECT_THAT(console_.screen, HasSubstr("next message: 3 crops beside the whole, 1024 tokens)"));
  EXPECT_THAT(console_.screen, HasSubstr("as a whole only)"));
  EXPECT_THAT(console_.screen, HasSubstr("expected on or off, found 'maybe'"));
  const auto& first = runner_.prompts.at(0).back().images;
  EXPECT_FALSE(first.at(0).pan_and_scan);
  EXPECT_TRUE(first.at(1).pan_and_scan);
  EXPECT_FALSE(runner_.prompts.at(1).back().images.at(0).pan_and_scan);
}

TEST_F(ChatViewTest, TextOnlyModelsSayWhichModelsSee) {
  ASSERT_TRUE(chat({text("/image a.png"), text("one")}));
  EXPECT_THAT(console_.screen, HasSubstr("text-only; the 4B, 12B and 27B models"));
  EXPECT_THAT(runner_.prompts.at(0).back().images, IsEmpty());
}

TEST_F(ChatViewTest, AClosedPipeEndsTheChat) {
  console_.closed_pipe = true;
  const auto result = chat({text("one")});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kClosedPipe);
}

TEST_F(ChatViewTest, APipeThatClosesDuringAnAnswerStopsIt) {
  runner_.before_word = [&] { console_.closed_pipe = true; };
  const auto result = chat({text("one"), text("two")});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kClosedPipe);
  EXPECT_EQ(runner_.prompts.size(), 1U);
}

TEST_F(ChatViewTest, RetryAnswersTheLastMessageAgain) {
  ASSERT_TRUE(chat({text("/retry"), text("one"), text("/retry"), text("two")}));
  EXPECT_THAT(console_.screen, HasSubstr("error: /retry: there is no message"));
  EXPECT_THAT(texts(runner_.prompts[1]), ElementsAre("one"));
  EXPECT_THAT(texts(runner_.prompts[2]), ElementsAre("one", "answer 2", "two"));
}

TEST_F(ChatViewTest, ARetryThatFailsKeepsTheOldAnswer) {
  int words = 0;
  runner_.before_word = [&] {
    if (++words == 3) console_.interrupt.request_stop();
  };
  ASSERT_TRUE(chat({text("one"), text("/retry"), text("two")}));
  EXPECT_THAT(texts(runner_.prompts[2]), ElementsAre("one", "answer 1", "two"));
}

TEST_F(ChatViewTest, SettingsChangeDuringTheChat) {
  ASSERT_TRUE(chat({text("/set temperature 0.5"), text("/set top-k 3"), text("/set seed 7"), text("one")}));
  EXPECT_EQ(runner_.params.temperature, 0.5F);
  EXPECT_EQ(runner_.params.top_k, 3);
  EXPECT_EQ(runner_.params.seed, 7U);
  EXPECT_THAT(console_.screen, HasSubstr("temperature = 0.5\ntop_k = 3\nseed = 7\n"));
  ASSERT_TRUE(chat({text("/set seed 7"), text("/set seed default"), text("/set"), text("one")}));
  EXPECT_EQ(runner_.params.seed, std::nullopt);
  EXPECT_THAT(console_.screen, HasSubstr("seed = not set\n"));
  // The default is what the chat began with, such as the style's temperature.
  ASSERT_TRUE(chat({text("/set temperature 2"), text("/set temperature default"), text("one")},
                   {{config::Setting::kTemperature, "0.25"}}));
  EXPECT_EQ(runner_.params.temperature, 0.25F);
}

TEST_F(ChatViewTest, WrongSettingsAreExplained) {
  ASSERT_TRUE(chat({text("/set temprature 1"), text("/set temperature hot"), text("/set threads 2")}));
  EXPECT_THAT(console_.screen, HasSubstr("did you mean 'temperature'?"));
  EXPECT_THAT(console_.screen,
              HasSubstr("/set temperature: expected a number between 0 and 100, found 'hot'"));
  EXPECT_THAT(console_.screen, HasSubstr("no setting 'threads' can change during a chat"));
}

TEST_F(ChatViewTest, StatisticsOnDemand) {
  ASSERT_TRUE(chat({text("/stats"), text("one"), text("/stats")}));
  EXPECT_THAT(console_.screen, HasSubstr("(no answer yet)"));
  EXPECT_THAT(console_.screen, HasSubstr("answer 1\n(2 tokens at"));
  console_.screen.clear();
  ASSERT_TRUE(chat({text("/set stats on"), text("one")}));
  EXPECT_THAT(console_.screen, HasSubstr("answer 2\n(2 tokens at"));
}

TEST_F(ChatViewTest, SavedConversationsGoOn) {
  ASSERT_TRUE(chat({text("/system Be brief."), text("one"), text("/save " + path("chat.json"))}));
  ASSERT_TRUE(chat({text("other"), text("/load " + path("chat.json")), text("two")}));
  EXPECT_THAT(texts(runner_.prompts.back()), ElementsAre("Be brief.", "one", "answer 1", "two"));
  EXPECT_THAT(runner_.prompts.back()[2].generated_ids, IsEmpty())
      << "ids that do not spell the text are dropped";
}

TEST_F(ChatViewTest, LoadedIdsThatSpellTheirTextAreKept) {
  ASSERT_TRUE(
      write_file(path("c.json"), to_json({"", {{Role::kUser, "q", {}}, {Role::kAssistant, "known", {7}}}})));
  ASSERT_TRUE(chat({text("/load " + path("c.json")), text("two")}));
  EXPECT_THAT(runner_.prompts.back()[1].generated_ids, ElementsAre(7));
}

TEST_F(ChatViewTest, AFileThatCannotBeLoadedChangesNothing) {
  ASSERT_TRUE(write_file(path("bad.json"), "{"));
  ASSERT_TRUE(
      chat({text("one"), text("/load " + path("bad.json")), text("/load " + path("none")), text("two")}));
  EXPECT_THAT(console_.screen, HasSubstr("not a conversation"));
  EXPECT_THAT(texts(runner_.prompts.back()), ElementsAre("one", "answer 1", "two"));
}

TEST_F(ChatViewTest, OnlyTextFilesAreAttached) {
  ASSERT_TRUE(write_file(path("binary"), std::string_view("a\0b", 3)));
  ASSERT_TRUE(write_file(path("latin1"), "gr\xFC\xDF"));
  ASSERT_TRUE(chat({text("/file " + path("binary")), text("/file " + path("latin1")), text("one")}));
  EXPECT_THAT(texts(runner_.prompts[0]), ElementsAre("one"));
  EXPECT_THAT(console_.screen, HasSubstr("not a text file"));
}

TEST_F(ChatViewTest, ResetForgetsTheConversation) {
  ASSERT_TRUE(chat({text("one"), text("/reset"), text("two")}));
  EXPECT_THAT(texts(runner_.prompts[1]), ElementsAre("two"));
}

TEST_F(ChatViewTest, HelpIsAtHand) {
  ASSERT_TRUE(chat({text("/hlep"), text("/help")}));
  EXPECT_THAT(console_.screen, HasSubstr("did you mean /help?"));
  EXPECT_THAT(console_.screen, HasSubstr("/retry"));
}

}  // namespace
}  // namespace carat::terminal
