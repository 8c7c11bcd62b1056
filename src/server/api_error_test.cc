#include "server/api_error.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <set>

namespace carat::server {
namespace {

TEST(ApiErrorTest, CodesAreStableAndUnique) {
  std::set<std::string_view> codes;
  for (int i = 0; i <= static_cast<int>(ApiErrorCode::kShuttingDown); ++i) {
    const ApiErrorInfo& entry = info(static_cast<ApiErrorCode>(i));
    EXPECT_TRUE(codes.insert(entry.code).second) << entry.code;
    EXPECT_GE(entry.status, 400U);
    // Clients try these again, and must be told when; nothing else may look as if trying again helped.
    EXPECT_EQ(entry.retry_seconds > 0, entry.status == 429 || entry.status == 503) << entry.code;
    EXPECT_FALSE(entry.message.empty());
  }
}

TEST(ApiErrorTest, HasTheShapeOfOpenAi) {
  const http::Response response = error_response(
      {.code = ApiErrorCode::kInvalidValue, .message = "n must be 1", .param = "n"}, ErrorShape::kOpenAi);
  EXPECT_EQ(response.status, 400U);
  EXPECT_EQ(boost::json::parse(response.body), boost::json::parse(R"({"error": {"message": "n must be 1",
      "type": "invalid_request_error", "param": "n", "code": "invalid_value"}})"));
  EXPECT_EQ(find_header(response.headers, "Retry-After"), std::nullopt);
}

TEST(ApiErrorTest, OverloadSaysWhenToTryAgain) {
  const http::Response response =
      error_response(from_engine({ErrorKind::kOverloaded, "queue of 64 is full"}), ErrorShape::kOpenAi);
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(find_header(response.headers, "Retry-After"), "1");
  EXPECT_EQ(find_header(response.headers, "retry-after-ms"), "1000");
  EXPECT_EQ(find_header(response.headers, "x-should-retry"), "true");
}

TEST(ApiErrorTest, TooLongNamesBothNumbers) {
  const auto error =
      error_object(context_exceeded({5000, 4096}), ErrorShape::kOpenAi).at("error").as_object();
  EXPECT_EQ(error.at("code").as_string(), "context_length_exceeded");
  EXPECT_EQ(error.at("n_prompt_tokens").to_number<int>(), 5000);
  EXPECT_EQ(error.at("n_ctx").to_number<int>(), 4096);
  EXPECT_NE(std::string_view(error.at("message").as_string()).find("maximum context length is 4096"),
            std::string_view::npos);
}

TEST(ApiErrorTest, EngineErrorsKeepTheirSecrets) {
  for (const ErrorKind kind : {ErrorKind::kFailed, ErrorKind::kNetwork, ErrorKind::kDoesNotFit,
                               ErrorKind::kInvalidModel, ErrorKind::kOverloaded}) {
    const ApiError error = from_engine({kind, "/home/alice/models/x.gguf is gone"});
    EXPECT_EQ(error.text().find("alice"), std::string_view::npos);
    EXPECT_GE(info(error.code).status, 500U);
  }
  const ApiError usage = from_engine({ErrorKind::kUsage, "temperature must be between 0 and 100, found 200"});
  EXPECT_EQ(usage.param, "temperature");
  EXPECT_EQ(info(usage.code).status, 400U);
  EXPECT_EQ(from_engine({ErrorKind::kUsage, "a stop string may have at most 1024 bytes"}).param, "stop");
}

TEST(ApiErrorTest, AbsentFeaturesHaveACodeOfTheirOwn) {
  for (const char* path : {"/v1/embeddings", "/embeddings", "/v1/audio/speech", "/v1/batches"}) {
    const ApiError error = from_transport(404, "", path);
    EXPECT_EQ(info(error.code).code, "unsupported_feature") << path;
    EXPECT_EQ(info(error.code).status, 404U);
  }
  for (const char* path : {"/v1/embeddingsx", "/", "", "/v1/nothing"})
    EXPECT_EQ(info(from_transport(404, "", path).code).code, "not_found") << path;
}

TEST(ApiErrorTest, TransportStatusesStayTheirOwn) {
  for (const unsigned status : {400U, 403U, 404U, 405U, 408U, 413U, 415U, 429U, 500U, 503U})
    EXPECT_EQ(info(from_transport(status, "x", "/").code).status, status);
  EXPECT_EQ(info(from_transport(431, "x", "/").code).status, 413U);
}

}  // namespace
}  // namespace carat::server
