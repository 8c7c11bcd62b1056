#include "server/openai/chat_request.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace carat::server::openai {
namespace {

using prompt::Role;

ApiResult<ChatRequest> parse(const std::string& body) {
  return parse_chat_request(boost::json::parse(body).as_object(), {});
}

// The conversation of some messages as "role:text" joined by '|'.
std::string conversation(const std::string& messages) {
  const auto request = parse(fmt::format("{{\"messages\": {}}}", messages));
  if (!request) return fmt::format("error: {}", request.error().message);
  std::string out;
  for (const ChatMessage& message : request->turns.messages) {
    if (!out.empty()) out += '|';
    out += message.role == Role::kSystem ? "s:" : message.role == Role::kUser ? "u:" : "a:";
    out += message.text;
    if (!message.images.empty()) out += fmt::format("+{}", message.images.size());
  }
  if (request->turns.continues_answer) out += "...";
  return out;
}

TEST(ChatRequestTest, TakesEveryRole) {
  EXPECT_EQ(conversation(R"([{"role": "user", "content": "hi"}])"), "u:hi");
  EXPECT_EQ(conversation(R"([{"role": "system", "content": "be"}, {"role": "developer", "content": "kind"},
      {"role": "user", "content": "hi", "name": "me"}])"),
            "s:be\n\nkind|u:hi");
  EXPECT_EQ(conversation(R"([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"},
      {"role": "user", "content": "go"}])"),
            "u:hi|a:ho|u:go");
}

TEST(ChatRequestTest, RepairsTheAlternation) {
  EXPECT_EQ(conversation(R"([{"role": "user", "content": "a"}, {"role": "user", "content": "b"},
      {"role": "assistant", "content": "c"}, {"role": "assistant", "content": "d"},
      {"role": "user", "content": "e"}])"),
            "u:a\n\nb|a:c\n\nd|u:e");
  // A conversation that the assistant opens, one of instructions alone, and instructions in the middle.
  EXPECT_EQ(
      conversation(R"([{"role": "assistant", "content": "welcome"}, {"role": "user", "content": "a"}])"),
      "u:|a:welcome|u:a");
  EXPECT_EQ(conversation(R"([{"role": "system", "content": "go"}])"), "s:go|u:");
  EXPECT_EQ(conversation(R"([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}])"),
            "u:a\n\nb");
}

TEST(ChatRequestTest, ATrailingAnswerIsContinued) {
  EXPECT_EQ(conversation(R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b "}])"),
            "u:a|a:b ...");
  EXPECT_EQ(conversation(R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}])"),
            "u:a");
  EXPECT_EQ(conversation(R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": null}])"),
            "u:a");
}

TEST(ChatRequestTest, TakesPartsAndToolMessages) {
  EXPECT_EQ(conversation(R"([{"role": "user", "content": [{"type": "text", "text": "a"},
      {"type": "image_url", "image_url": {"url": "data:image/png;base64,Zm9v", "detail": "high"}},
      {"type": "image_url", "image_url": "data:image/png;base64,Zm9v"},
      {"type": "text", "text": "b"}]}])"),
            "u:a\nb+2");
  EXPECT_EQ(conversation(R"([{"role": "user", "content": "a"},
      {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function",
         "function": {"name": "f", "arguments": "{\"x\": 1}"}}]},
      {"role": "tool", "tool_call_id": "1", "content": "42"}])"),
            "u:a|a:{\"name\": \"f\", \"parameters\": {\"x\": 1}}|u:```tool_output\n42\n```");
}

TEST(ChatRequestTest, ImagesAreDecoded) {
  const auto request = parse(R"({"messages": [{"role": "user", "content": [
      {"type": "image_url", "image_url": {"url": "data:image/png;base64,Zm9v", "detail": "low"}}]}]})");
  ASSERT_TRUE(request);
  const ImageSource& image = request->turns.messages[0].images.at(0);
  ASSERT_EQ(image.file.size(), 3U);
  EXPECT_EQ(image.file[0], std::byte{'f'});
  EXPECT_EQ(image.detail, ImageSource::Detail::kLow);
}

TEST(ChatRequestTest, Logprobs) {
  const std::string messages = R"("messages": [{"role": "user", "content": "a"}])";
  const auto count = [&](const std::string& fields) {
    const auto request = parse(fmt::format("{{{}{}}}", messages, fields));
    return request ? request->options.sampling.logprobs : std::optional<std::int32_t>(-1);
  };
  EXPECT_EQ(count(""), std::nullopt);
  EXPECT_EQ(count(R"(, "logprobs": false, "top_logprobs": 0)"), std::nullopt);
  EXPECT_EQ(count(R"(, "logprobs": true)"), 0);
  EXPECT_EQ(count(R"(, "logprobs": true, "top_logprobs": 20)"), 20);
  EXPECT_EQ(count(R"(, "logprobs": true, "top_logprobs": 21)"), -1);
  EXPECT_EQ(count(R"(, "top_logprobs": 3)"), -1);
  EXPECT_EQ(count(R"(, "logprobs": 3)"), -1);
}

struct Refused {
  const char* messages;
  ApiErrorCode code;
  const char* param;
};

TEST(ChatRequestTest, ErrorsNameTheField) {
  using enum ApiErrorCode;
  const Refused cases[] = {
      {"null", kMissingParameter, "messages"},
      {"[]", kInvalidValue, "messages"},
      {"{}", kInvalidType, "messages"},
      {"[5]", kInvalidType, "messages"},
      {R"([{"role": "wizard", "content": "a"}])", kInvalidValue, "messages[0].role"},
      {R"([{"content": "a"}])", kInvalidValue, "messages[0].role"},
      {R"([{"role": "user"}])", kMissingParameter, "messages[0].content"},
      {R"([{"role": "user", "content": null}])", kMissingParameter, "messages[0].content"},
      {R"([{"role": "user", "content": 5}])", kInvalidType, "messages[0].content"},
      {R"([{"role": "user", "content": [5]}])", kInvalidType, "messages[0].content"},
      {R"([{"role": "user", "content": [{"type": "text"}]}])", kMissingParameter,
       "messages[0].content[0].text"},
      {R"([{"role": "user", "content": [{"type": "input_audio"}]}])", kUnsupportedContent,
       "messages[0].content[0].type"},
      {R"([{"role": "user", "content": [{"type": "file"}]}])", kUnsupportedContent,
       "messages[0].content[0].type"},
      {R"([{"role": "system", "content": [{"type": "image_url", "image_url": "data:;base64,Zg"}]}])",
       kUnsupportedContent, "messages[0].content[0].type"},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://10.0.0.1/x"}}]}])",
       kImageUrlNotAllowed, "messages[0].content[0].image_url.url"},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}])",
       kImageUrlNotAllowed, "messages[0].content[0].image_url.url"},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png,abc"}}]}])",
       kInvalidImage, "messages[0].content[0].image_url.url"},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,*"}}]}])",
       kInvalidImage, "messages[0].content[0].image_url.url"},
      {R"([{"role": "assistant", "content": null, "tool_calls": [{}]}])", kMissingParameter,
       "messages[0].tool_calls[0].function"},
  };
  for (const Refused& refused : cases) {
    const auto request = parse(std::string("{\"messages\": ") + refused.messages + "}");
    ASSERT_FALSE(request) << refused.messages;
    EXPECT_EQ(request.error().code, refused.code) << refused.messages;
    EXPECT_EQ(request.error().param, refused.param) << refused.messages;
    EXPECT_EQ(request.error().message.find("passwd"), std::string::npos);
  }
}

ApiResult<ChatRequest> with_fields(const std::string& fields) {
  return parse(R"({"messages": [{"role": "user", "content": "a"}], )" + fields + "}");
}

TEST(ChatRequestTest, TakesOverWhatTheAnswerMustBe) {
  struct Case {
    const char* fields;
    prompt::Constraint constraint;
    const char* field;
  };
  const prompt::JsonSchema schema{R"({"type":"object"})"};
  const prompt::JsonSchema strict{R"({"type":"object"})", true};
  const Case cases[] = {
      {R"("response_format": {"type": "json_object"})", prompt::JsonObject{}, "response_format"},
      {R"("response_format": {"type": "json_object", "schema": {"type": "object"}})", schema,
       "response_format.schema"},
      {R"("response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": true,
          "schema": {"type": "object"}}})",
       strict, "response_format.json_schema.schema"},
      {R"("response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}})", schema,
       "response_format.json_schema.schema"},
      {R"("json_schema": {"type": "object"}, "response_format": {"type": "text"})", schema, "json_schema"},
      {R"("grammar": "root ::= \"a\"")", prompt::Ebnf{"root ::= \"a\""}, "grammar"},
      {R"("guided_json": "{\"type\":\"object\"}")", schema, "guided_json"},
      {R"("guided_regex": "a+")", prompt::Regex{"a+"}, "guided_regex"},
      {R"("guided_choice": ["a.b", "c"])", prompt::Regex{R"(a\.b|c)"}, "guided_choice"},
      {R"("structured_outputs": {"regex": "a+"})", prompt::Regex{"a+"}, "structured_outputs.regex"},
      {R"("structured_outputs": {"json": {"type": "object"}})", schema, "structured_outputs.json"},
      {R"("structured_outputs": {"json_object": true})", prompt::JsonObject{},
       "structured_outputs.json_object"},
  };
  for (const Case& example : cases) {
    const auto request = with_fields(example.fields);
    ASSERT_TRUE(request) << example.fields;
    EXPECT_EQ(request->options.constraint, example.constraint) << example.fields;
    EXPECT_EQ(request->options.constraint_field, example.field);
  }
  for (const char* none : {R"("response_format": null)", R"("response_format": {"type": "text"})",
                           R"("grammar": "", "guided_choice": [], "structured_outputs": {})"}) {
    const auto request = with_fields(none);
    ASSERT_TRUE(request) << none;
    EXPECT_FALSE(request->options.constraint) << none;
  }
}

TEST(ChatRequestTest, RefusesWhatIsNoConstraint) {
  struct RefusedConstraint {
    const char* fields;
    const char* param;
  };
  for (const auto& [fields, param] : std::initializer_list<RefusedConstraint>{
           {R"("response_format": "json")", "response_format"},
           {R"("response_format": {"type": "xml"})", "response_format.type"},
           {R"("response_format": {"type": "json_schema"})", "response_format.json_schema"},
           {R"("response_format": {"type": "json_schema", "json_schema": {}})",
            "response_format.json_schema.schema"},
           {R"("response_format": {"type": "json_schema", "json_schema": {"schema": 1}})",
            "response_format.json_schema.schema"},
           {R"("guided_json": [])", "guided_json"},
           {R"("guided_choice": [1])", "guided_choice"},
           {R"("guided_choice": [""])", "guided_choice"},
           {R"("structured_outputs": {"structural_tag": "x"})", "structured_outputs.structural_tag"},
           {R"("grammar": "root ::= x", "guided_regex": "a")", "guided_regex"}}) {
    const auto request = with_fields(fields);
    ASSERT_FALSE(request) << fields;
    EXPECT_EQ(request.error().param, param) << fields;
  }
}

TEST(ChatRequestTest, TooManyImagesAreRefused) {
  const std::string part = R"({"type": "image_url", "image_url": "data:;base64,Zg"})";
  std::string parts = part;
  for (std::size_t i = 0; i < kMostImages; ++i) parts.append(",").append(part);
  const auto request = parse(R"({"messages": [{"role": "user", "content": [)" + parts + "]}]}");
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().param, "messages");
}

}  // namespace
}  // namespace carat::server::openai
