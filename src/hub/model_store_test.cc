#include "hub/model_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace carat::hub {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ModelStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("model_store." + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void add_file(const std::string& name) { std::ofstream(folder_ / name) << "x"; }
  std::string found(const std::string& name) const {
    const auto path = store().find(name);
    return path ? path->filename().string() : path.error().message;
  }
  ModelStore store() const { return ModelStore(folder_); }

  fs::path folder_;
};

TEST(CanonicalName, TakesTheSpellingsInUse) {
  EXPECT_EQ(canonical_name("gemma-3-270m"), "gemma-3-270m");
  EXPECT_EQ(canonical_name("gemma3:270m"), "gemma-3-270m");
  EXPECT_EQ(canonical_name("google/gemma-3-270m"), "gemma-3-270m");
  EXPECT_EQ(canonical_name("Gemma-3-270M-it-Q4_K_M.gguf"), "gemma-3-270m-it-q4_k_m");
}

TEST_F(ModelStoreTest, ListsFilesFirstShardsAndSafetensorsFolders) {
  add_file("b.gguf");
  add_file("a-00001-of-00002.gguf");
  add_file("a-00002-of-00002.gguf");
  add_file("notes.txt");
  add_file("c.gguf.part");
  fs::create_directories(folder_ / "folder");
  fs::create_directories(folder_ / "empty");
  add_file("folder/config.json");
  std::vector<std::string> names;
  for (const StoredModel& model : store().list()) names.push_back(model.name);
  EXPECT_THAT(names, testing::ElementsAre("a", "b", "folder"));
  EXPECT_EQ(store().list().front().path.filename(), "a-00001-of-00002.gguf");
}

TEST_F(ModelStoreTest, NamesFindModels) {
  add_file("gemma-3-270m-Q4_K_M.gguf");
  add_file("gemma-3-1b-it-Q8_0.gguf");
  for (const char* name : {"gemma-3-270m", "gemma3:270m", "google/gemma-3-270m", "gemma-3-270m-Q4_K_M",
                           "GEMMA-3-270m-q4_k_m.gguf"}) {
    EXPECT_EQ(found(name), "gemma-3-270m-Q4_K_M.gguf") << name;
  }
  EXPECT_EQ(found("gemma3:1b"), "gemma-3-1b-it-Q8_0.gguf");
}

TEST_F(ModelStoreTest, ThePlainNameIsNotTheInstructionTunedModel) {
  add_file("gemma-3-270m-it-Q4_K_M.gguf");
  add_file("gemma-3-270m-Q4_K_M.gguf");
  EXPECT_EQ(found("gemma3:270m"), "gemma-3-270m-Q4_K_M.gguf");
  EXPECT_EQ(found("gemma3:270m-it"), "gemma-3-270m-it-Q4_K_M.gguf");
}

TEST_F(ModelStoreTest, SeveralMatchesAreListed) {
  add_file("gemma-3-270m-Q4_K_M.gguf");
  add_file("gemma-3-270m-Q8_0.gguf");
  const auto path = store().find("gemma3:270m");
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(path.error().message, HasSubstr("gemma-3-270m-Q4_K_M, gemma-3-270m-Q8_0"));
}

TEST_F(ModelStoreTest, PathsOfExistingFilesAreTakenAsTheyAre) {
  add_file("anything.bin");
  EXPECT_EQ(store().find(folder_ / "anything.bin"), folder_ / "anything.bin");
  fs::create_directories(folder_ / "checkpoint");
  add_file("checkpoint/config.json");
  EXPECT_EQ(store().find(folder_ / "checkpoint"), folder_ / "checkpoint");
}

TEST_F(ModelStoreTest, WhatIsNotThereIsNotFound) {
  add_file("gemma-3-270m-Q4_K_M.gguf");
  const auto path = store().find("gemma-3-279m-Q4_K_M");
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(path.error().message, HasSubstr("did you mean 'gemma-3-270m-Q4_K_M'?"));
  EXPECT_THAT(path.error().message, HasSubstr(folder_.string()));
  EXPECT_THAT(found("llama"), HasSubstr("which holds: gemma-3-270m-Q4_K_M"));
  EXPECT_THAT(found("gemma-3-27"), HasSubstr("no model")) << "names end at a border";
  EXPECT_EQ(store().find("").error().kind, ErrorKind::kUsage);
  EXPECT_EQ(store().find(std::string("a\0b", 3)).error().kind, ErrorKind::kUsage);

  // A path never means a model of the store, however its file is called.
  for (const char* text :
       {"/no/such/gemma-3-270m-Q4_K_M.gguf", "/gemma-3-270m", "./gemma-3-270m", "a/b/gemma-3-270m"}) {
    const auto elsewhere = store().find(text);
    ASSERT_FALSE(elsewhere) << text;
    EXPECT_EQ(elsewhere.error().kind, ErrorKind::kNotFound);
    EXPECT_THAT(elsewhere.error().message, HasSubstr("there is no such file"));
  }
  EXPECT_THAT(found(folder_), HasSubstr("no config.json"));

  const auto nowhere = ModelStore(folder_ / "missing").find("gemma-3-270m");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(nowhere.error().message, HasSubstr("./dev run"));
}

TEST_F(ModelStoreTest, TheDefaultIsTheOnlyModelOrTheUsualOne) {
  const auto none = store().find_default();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(none.error().message, HasSubstr("./dev run"));

  add_file("gemma-3-1b-it-Q8_0.gguf");
  EXPECT_EQ(store().find_default()->filename(), "gemma-3-1b-it-Q8_0.gguf");
  add_file("gemma-3-4b-it-Q8_0.gguf");
  const auto several = store().find_default();
  ASSERT_FALSE(several);
  EXPECT_EQ(several.error().kind, ErrorKind::kUsage);
  add_file("gemma-3-270m-Q4_K_M.gguf");
  EXPECT_EQ(store().find_default()->filename(), "gemma-3-270m-Q4_K_M.gguf");
}

TEST_F(ModelStoreTest, PulledModelsHaveTheirFoldersNameAndThoseOfTheirPull) {
  fs::create_directories(folder_ / "ollama-gemma3-270m");
  add_file("ollama-gemma3-270m/ollama-gemma3-270m.gguf");
  add_file("gemma-3-270m-Q4_K_M.gguf");
  std::ofstream(folder_ / "ollama-gemma3-270m/carat.json")
      << R"({"version":1,"service":"ollama","source":"gemma3:270m","revision":"r","names":["gemma3:270m"],)"
      << R"("files":[]})";
  EXPECT_EQ(found("gemma3:270m"), "ollama-gemma3-270m.gguf");
  EXPECT_EQ(found("ollama-gemma3-270m"), "ollama-gemma3-270m.gguf");
  EXPECT_EQ(found("gemma-3-270m"), "gemma-3-270m-Q4_K_M.gguf");
}

TEST_F(ModelStoreTest, ProjectorsAndUnfinishedPullsAreNoModels) {
  fs::create_directories(folder_ / "gemma-3-4b-it-Q4_K_M");
  fs::create_directories(folder_ / "gemma-3-1b-it.partial");
  add_file("gemma-3-1b-it.partial/gemma-3-1b-it.gguf");
  add_file("gemma-3-4b-it-Q4_K_M/gemma-3-4b-it-Q4_K_M.gguf");
  add_file("gemma-3-4b-it-Q4_K_M/mmproj-model-f32.gguf");
  add_file("mmproj-gemma-3-12b-it-f16.gguf");
  const auto models = store().list();
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models[0].name, "gemma-3-4b-it-Q4_K_M");
}

}  // namespace
}  // namespace carat::hub
