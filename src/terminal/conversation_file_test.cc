#include "terminal/conversation_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carat::terminal {
namespace {

using prompt::Message;
using prompt::Role;
using testing::HasSubstr;

std::string error_of(const std::string& text) {
  const auto conversation = conversation_from_json("chat.json", text);
  if (conversation) return "no error";
  EXPECT_EQ(conversation.error().kind, ErrorKind::kFailed);
  return conversation.error().message;
}

std::string with_messages(const std::string& messages) {
  return R"({"format":"carat-conversation","version":1,"system":"","messages":)" + messages + "}";
}

TEST(ConversationFile, ComesBackAsItWas) {
  Conversation conversation;
  conversation.system = "Be brief.\n\"Quoted\"";
  conversation.messages = {{Role::kUser, "Grüße\t\x1b", {}},
                           {Role::kAssistant, "Hi \xF0\x9F\x98\x80", {5, 0, 262143}},
                           {Role::kUser, "", {}},
                           {Role::kAssistant, "", {}}};
  const auto read = conversation_from_json("chat.json", to_json(conversation));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->system, conversation.system);
  ASSERT_EQ(read->messages.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(read->messages[i].role, conversation.messages[i].role);
    EXPECT_EQ(read->messages[i].text, conversation.messages[i].text);
    EXPECT_EQ(read->messages[i].generated_ids, conversation.messages[i].generated_ids);
  }
}

TEST(ConversationFile, InvalidUtf8IsNotWritten) {
  Conversation conversation;
  conversation.messages = {{Role::kUser, "a\xFFz", {}}, {Role::kAssistant, "b", {}}};
  const auto read = conversation_from_json("chat.json", to_json(conversation));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->messages[0].text, "a\uFFFDz");
}

TEST(ConversationFile, HostileFilesGiveErrorsThatNameTheField) {
  EXPECT_THAT(error_of(""), HasSubstr("chat.json: not a conversation"));
  EXPECT_THAT(error_of("hello"), HasSubstr("not a conversation"));
  EXPECT_THAT(error_of(std::string(100'000, '[')), HasSubstr("not a conversation"));
  EXPECT_THAT(error_of("\"\xFF\""), HasSubstr("not a conversation"));
  EXPECT_THAT(error_of("[]"), HasSubstr("expected an object, found []"));
  EXPECT_THAT(error_of("{}"), HasSubstr("format: expected a string, found nothing"));
  EXPECT_THAT(error_of(R"({"format":"other"})"),
              HasSubstr("expected \"carat-conversation\", found \"other\""));
  EXPECT_THAT(error_of(R"({"format":"carat-conversation","version":2})"),
              HasSubstr("version: expected 1, found 2"));
  EXPECT_THAT(error_of(with_messages("3")), HasSubstr("messages: expected a list, found 3"));
  EXPECT_THAT(error_of(with_messages("[3]")), HasSubstr("messages[0]: expected an object"));
  EXPECT_THAT(error_of(with_messages(R"([{"role":"system","text":"x"}])")),
              HasSubstr("messages[0].role: expected \"user\", found \"system\""));
  EXPECT_THAT(error_of(with_messages(R"([{"role":"user"}])")),
              HasSubstr("messages[0].text: expected a string"));
  EXPECT_THAT(error_of(with_messages(R"([{"role":"user","text":"x"}])")), HasSubstr("has no answer"));
  for (const char* ids : {"7", "[-1]", "[1.5]", "[2147483648]", "[\"5\"]", "[[5]]"}) {
    EXPECT_THAT(
        error_of(with_messages(R"([{"role":"user","text":"x"},{"role":"assistant","text":"y","ids":)" +
                               std::string(ids) + "}]")),
        HasSubstr("messages[1].ids: expected"))
        << ids;
  }
  EXPECT_THAT(error_of(with_messages("\"" + std::string(1000, 'x') + "\"")),
              HasSubstr("string of 1002 bytes"));
}

}  // namespace
}  // namespace carat::terminal
