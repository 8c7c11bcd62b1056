#include "hub/model_caches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "formats/gguf_writer.h"
#include "formats/test_files.h"
#include "hub/model_summary.h"

namespace carat::hub {
namespace {

namespace fs = std::filesystem;

class ModelCachesTest : public testing::Test {
 protected:
  ModelCachesTest() {
    folders.hugging_face = root() / "hf";
    folders.ollama = root() / "ollama";
    folders.lm_studio = {root() / "lm"};
    folders.llama_cpp = root() / "llama";
  }

  fs::path root() const { return folder_.path(); }
  void add(const std::string& path, const std::string& text = "x") const {
    fs::create_directories((root() / path).parent_path());
    std::ofstream(root() / path) << text;
  }
  std::vector<std::string> found() const {
    std::vector<std::string> out;
    for (const CachedModel& model : cached_models(folders)) {
      out.push_back(model.name + " " + std::string(to_text(model.origin)) + " " +
                    model.path.lexically_relative(root()).string());
    }
    return out;
  }

  CacheFolders folders;

 private:
  formats::TestFolder folder_;
};

TEST_F(ModelCachesTest, FindsNothingWhereNothingIs) { EXPECT_TRUE(found().empty()); }

TEST_F(ModelCachesTest, KnowsTheLayouts) {
  add("hf/models--google--gemma-3-1b-it/refs/main", "abc");
  add("hf/models--google--gemma-3-1b-it/snapshots/abc/config.json", "{}");
  add("hf/models--google--gemma-3-1b-it/snapshots/old/config.json", "{}");
  add("hf/models--o--g/snapshots/abc/g-Q4_0.gguf");
  add("hf/models--o--g/snapshots/abc/mmproj-f16.gguf");
  add("hf/datasets--o--d/snapshots/abc/x.gguf");
  add("lm/org/repo/m-00001-of-00002.gguf");
  add("lm/org/repo/m-00002-of-00002.gguf");
  add("llama/org_repo_m.gguf");
  add("llama/org_repo_m.gguf.json");
  const std::string layer =
      R"({"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:)";
  add("ollama/manifests/registry.ollama.ai/library/gemma3/4b", layer + R"(aa"}]})");
  add("ollama/manifests/registry.ollama.ai/someone/g/x", layer + R"(bb"}]})");
  add("ollama/manifests/hf.co/o/r/Q4_0", layer + R"(cc"}]})");
  EXPECT_THAT(
      found(),
      testing::UnorderedElementsAre(
          "google/gemma-3-1b-it huggingface hf/models--google--gemma-3-1b-it/snapshots/abc",
          "o/g/g-Q4_0.gguf huggingface hf/models--o--g/snapshots/abc/g-Q4_0.gguf",
          "org/repo/m-00001-of-00002.gguf lmstudio lm/org/repo/m-00001-of-00002.gguf",
          "org_repo_m.gguf llama.cpp llama/org_repo_m.gguf", "gemma3:4b ollama ollama/blobs/sha256-aa",
          "someone/g:x ollama ollama/blobs/sha256-bb", "hf.co/o/r:Q4_0 ollama ollama/blobs/sha256-cc"));
}

TEST_F(ModelCachesTest, HostileCachesNameNothingOutside) {
  const std::string head = R"({"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":)";
  add("ollama/manifests/r/l/a/1", head + R"("sha256:../../secret"}]})");
  add("ollama/manifests/r/l/a/2", head + "5}]}");
  add("ollama/manifests/r/l/a/3", "{");
  add("hf/models--a--b/refs/main", "../../../secret");
  add("hf/models--a--b/snapshots/abc/config.json", "{}");
  EXPECT_THAT(found(), testing::ElementsAre("a/b huggingface hf/models--a--b/snapshots/abc"));
}

TEST_F(ModelCachesTest, FollowsTheEnvironment) {
  const auto of = [](const std::map<std::string, std::string>& variables) {
    return CacheFolders::from_environment(
        [variables](const char* name) -> std::optional<std::string> {
          const auto found = variables.find(name);
          return found == variables.end() ? std::nullopt : std::optional(found->second);
        },
        "/home/a");
  };
  EXPECT_EQ(of({}).hugging_face, "/home/a/.cache/huggingface/hub");
  EXPECT_EQ(of({{"HF_HOME", "/x"}}).hugging_face, "/x/hub");
  EXPECT_EQ(of({{"HF_HOME", "/x"}, {"HF_HUB_CACHE", "/y"}}).hugging_face, "/y");
  EXPECT_EQ(of({}).ollama, "/home/a/.ollama/models");
  EXPECT_EQ(of({{"OLLAMA_MODELS", "/o"}}).ollama, "/o");
  EXPECT_EQ(of({{"XDG_CACHE_HOME", "/c"}}).llama_cpp, "/c/llama.cpp");
}

TEST_F(ModelCachesTest, OtherFamiliesAreSeenAtOnceAndDamagedFilesAreErrors) {
  formats::GgufWriter writer;
  writer.set_string("general.architecture", "llama");
  writer.set_string_array("tokenizer.ggml.tokens", {"a"});
  const std::vector<std::byte> bytes = writer.finish();
  // Cut right after the first key: enough to know.
  add("other.gguf", std::string(reinterpret_cast<const char*>(bytes.data()), 24 + 8 + 20 + 4 + 8 + 5));
  const auto other = summarize_model(root() / "other.gguf");
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_FALSE(*other);
  add("bert/config.json", R"({"model_type":"bert"})");
  EXPECT_FALSE(*summarize_model(root() / "bert"));
  add("broken.gguf", "GGUF");
  EXPECT_FALSE(summarize_model(root() / "broken.gguf"));
}

}  // namespace
}  // namespace carat::hub
