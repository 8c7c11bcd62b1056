#include "hub/pull_name.h"

#include <gtest/gtest.h>

namespace carat::hub {
namespace {

std::string parsed(std::string_view text) {
  const auto name = parse_pull_name(text);
  return name ? to_text(*name) : name.error().message;
}

TEST(PullNameTest, ShortNamesMeanConversionsThatAreFree) {
  EXPECT_EQ(parsed("gemma-3-4b-it"), "ggml-org/gemma-3-4b-it-GGUF:Q4_K_M");
  EXPECT_EQ(parsed("Gemma-3-1B-it-QAT"), "ggml-org/gemma-3-1b-it-qat-GGUF:Q4_0");
  EXPECT_EQ(parsed("gemma-3-12b-pt"), "google/gemma-3-12b-pt");
  for (const std::string_view name : short_names()) EXPECT_TRUE(parse_pull_name(name)) << name;
}

TEST(PullNameTest, TakesNamesOfTheOllamaLibrary) {
  EXPECT_EQ(parsed("gemma3:4b"), "gemma3:4b");
  EXPECT_EQ(parsed("gemma3"), "gemma3:latest");
  EXPECT_EQ(parsed("Gemma3:4B-it-q4_K_M"), "gemma3:4b-it-q4_K_M");
  EXPECT_EQ(parsed("ollama.com/library/Epo:Q4_K_M"), "epo:q4_k_m");
  EXPECT_EQ(parsed("https://ollama.com/library/gemma3:12b-it-qat"), "gemma3:12b-it-qat");
  EXPECT_EQ(parsed("ollama.com/someone/gemma3:1b"), "ollama.com/someone/gemma3:1b");
}

TEST(PullNameTest, TakesRepositoriesOfTheHub) {
  EXPECT_EQ(parsed("org/repo"), "org/repo");
  EXPECT_EQ(parsed("hf.co/org/repo:Q8_0"), "org/repo:Q8_0");
  EXPECT_EQ(parsed("org/repo/BF16/a-00001-of-00002.gguf"), "org/repo/BF16/a-00001-of-00002.gguf");
  EXPECT_EQ(parsed("https://huggingface.co/org/repo/resolve/main/a.gguf"), "org/repo/a.gguf");
  EXPECT_EQ(parsed("https://huggingface.co/org/repo/blob/main/a.gguf"), "org/repo/a.gguf");
}

TEST(PullNameTest, RefusesEverythingElse) {
  for (const char* name : {"", "/", "a/", "/a", "../..", "a/..", "a/b/../c.gguf", "a/b/c.txt",
                           "a/b:", "a/b:../x", "a/b/c.gguf:Q4_0", "a b/c", "a/b?x=1", "gemma3:../x",
                           "ollama.com/a/b/c:d", "a/b/.hidden.gguf", "a/b\n"}) {
    const auto parsed = parse_pull_name(name);
    ASSERT_FALSE(parsed) << name;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kUsage);
  }
  EXPECT_NE(parsed("gemma-3-4b-ti").find("did you mean 'gemma-3-4b-it'"), std::string::npos);
}

}  // namespace
}  // namespace carat::hub
