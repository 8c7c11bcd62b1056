// That a pull loses nothing which somebody else put into the store, and adds nothing that is no Gemma 3
// model.
#include "hub/placing.h"

#include <gtest/gtest.h>

#include <map>

#include "base/byte_source.h"
#include "formats/gguf_writer.h"
#include "formats/test_files.h"
#include "hub/pull.h"
#include "hub/pull_record.h"
#include "hub/test_services.h"
#include "model/test_tiny_model.h"

namespace carat::hub {
namespace {

namespace fs = std::filesystem;
using formats::is_error;

constexpr const char* kRepository = "ggml-org/gemma-3-4b-it-GGUF";
constexpr const char* kOther = "unsloth/gemma-3-4b-it-GGUF";
constexpr const char* kFile = "gemma-3-4b-it-Q4_K_M.gguf";
constexpr const char* kFolder = "gemma-3-4b-it-Q4_K_M";

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string tiny_gguf(const std::string& name) {
  model::TinyModel tiny;
  tiny.add = [&](formats::GgufWriter& writer) { writer.set_string("general.basename", name); };
  return text_of(tiny.gguf());
}

class NoWaiter final : public Waiter {
 public:
  Result<> wait(std::chrono::seconds, const std::stop_token&) override { return {}; }
};

class PlacingTest : public testing::Test {
 protected:
  // What a repository holds at the time of one pull.
  using Files = std::map<std::string, std::string>;

  Result<Pulled> pull_from(const std::string& repository, const Files& files,
                           const std::string& precision = ":Q4_K_M") const {
    TestServices services;
    for (const auto& [name, bytes] : files) {
      services.add_file(repository, name, bytes, name.ends_with(".gguf") || name.ends_with(".safetensors"));
    }
    PullOptions options{.store = store()};
    options.services = {services.address(), services.address(), ""};
    options.download = {.connections = 2, .piece_bytes = 20'000, .first_bytes = 5'000};
    const http::Client client({});
    NoWaiter waiter;
    return pull(repository + precision, client, waiter, options, {});
  }

  fs::path store() const { return folder_.path("models"); }
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories((store() / path).parent_path());
    std::ofstream(store() / path, std::ios::binary) << text;
  }
  std::string stored(const std::string& path) const {
    return read_whole_file((store() / path).string(), 1 << 24).value_or("(missing)");
  }
  std::string in_folder(const std::string& name) const { return stored(std::string(kFolder) + "/" + name); }

  const std::string first_ = tiny_gguf("first");
  const std::string second_ = tiny_gguf("second");

 private:
  formats::TestFolder folder_;
};

TEST_F(PlacingTest, APulledModelIsOpened) {
  const auto pulled = pull_from(kRepository, {{kFile, first_}});
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_TRUE(in_folder(kFile) == first_);
  EXPECT_EQ(pulled->remark, "");
}

TEST_F(PlacingTest, AModelOfAnotherFamilyIsLeftAfterItsFirstBytes) {
  formats::GgufWriter writer;
  writer.set_string("general.architecture", "llama");
  const std::string foreign = text_of(writer.finish()) + std::string(100'000, 'x');
  EXPECT_TRUE(is_error(pull_from(kRepository, {{kFile, foreign}}), ErrorKind::kInvalidModel,
                       {"the family 'llama'", "Gemma 3 alone", ".partial"}));
  EXPECT_FALSE(fs::exists(store() / kFolder));
  EXPECT_NE(stored(std::string(kFolder) + ".partial/" + kFile + ".state"), "(missing)");
  EXPECT_LT(fs::file_size(store() / (std::string(kFolder) + ".partial/" + kFile + ".part")), 6'000U);

  // Safetensors say it in config.json, which comes first.
  EXPECT_TRUE(is_error(
      pull_from("a/b",
                {{"config.json", R"({"model_type":"bert"})"}, {"a.safetensors", std::string(50'000, 'x')}},
                ""),
      ErrorKind::kInvalidModel, {"the family 'bert'"}));
  EXPECT_FALSE(fs::exists(store() / "b"));
  EXPECT_FALSE(fs::exists(store() / "b.partial/a.safetensors"));
}

TEST_F(PlacingTest, AFileThatIsNoModelSaysWhatToDo) {
  const auto damaged = pull_from(kRepository, {{kFile, first_.substr(0, first_.size() / 2)}});
  EXPECT_TRUE(is_error(damaged, ErrorKind::kInvalidModel, {"choose another one", ".partial", " kB"}));
  EXPECT_FALSE(fs::exists(store() / kFolder));
  ASSERT_TRUE(pull_from(kRepository, {{kFile, first_}}));
  EXPECT_TRUE(in_folder(kFile) == first_);
}

TEST_F(PlacingTest, ARePullThatFailsKeepsTheModel) {
  ASSERT_TRUE(pull_from(kRepository, {{kFile, first_}}));
  for (const std::string& worse : {std::string("no model at all"), second_.substr(0, second_.size() / 2)}) {
    EXPECT_FALSE(pull_from(kRepository, {{kFile, worse}}));
    EXPECT_TRUE(in_folder(kFile) == first_);
    EXPECT_TRUE(read_record(store() / kFolder));
  }
  ASSERT_TRUE(pull_from(kRepository, {{kFile, second_}}));
  EXPECT_TRUE(in_folder(kFile) == second_);
}

TEST_F(PlacingTest, AModelOfThatNameFromElsewhereIsKept) {
  ASSERT_TRUE(pull_from(kRepository, {{kFile, first_}}));
  const auto other = pull_from(kOther, {{kFile, second_}});
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(other->name, "unsloth-gemma-3-4b-it-Q4_K_M");
  EXPECT_TRUE(in_folder(kFile) == first_);
  EXPECT_TRUE(stored(std::string("unsloth-gemma-3-4b-it-Q4_K_M/") + kFile) == second_);
  // Each is found again, also by its other spellings, and also once the plain name is free.
  EXPECT_TRUE(pull_from(kOther, {{kFile, second_}}, "")->was_there);
  EXPECT_TRUE(pull_from(kRepository, {{kFile, first_}}, std::string("/") + kFile)->was_there);
  fs::remove_all(store() / kFolder);
  EXPECT_EQ(pull_from(kOther, {{kFile, first_}})->name, "unsloth-gemma-3-4b-it-Q4_K_M");
}

TEST_F(PlacingTest, WhatNoPullPutThereKeepsItsName) {
  put(std::string(kFolder) + "/notes.txt", "mine");
  const auto pulled = pull_from(kRepository, {{kFile, first_}});
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->name, "ggml-org-gemma-3-4b-it-Q4_K_M");
  EXPECT_EQ(in_folder("notes.txt"), "mine");
}

TEST_F(PlacingTest, NothingIsOverwrittenWhereEveryNameIsTaken) {
  put("elsewhere/" + std::string(kFile), "mine");
  fs::create_directory_symlink(store() / "elsewhere", store() / kFolder);
  put("ggml-org-gemma-3-4b-it-Q4_K_M", "a file");
  EXPECT_TRUE(is_error(pull_from(kRepository, {{kFile, first_}}), ErrorKind::kFailed,
                       {"ggml-org-gemma-3-4b-it-Q4_K_M is not a folder", "rename or remove it"}));
  EXPECT_EQ(stored("elsewhere/" + std::string(kFile)), "mine");
  EXPECT_EQ(stored("ggml-org-gemma-3-4b-it-Q4_K_M"), "a file");
  EXPECT_TRUE(fs::is_symlink(store() / kFolder));
}

TEST_F(PlacingTest, ALinkInPlaceOfTheUnfinishedFolderIsNotFollowed) {
  put("elsewhere/precious.txt", "mine");
  fs::create_directory_symlink(store() / "elsewhere", store() / (std::string(kFolder) + ".partial"));
  EXPECT_TRUE(is_error(pull_from(kRepository, {{kFile, first_}}), ErrorKind::kFailed, {"rename or remove"}));
  EXPECT_EQ(stored("elsewhere/precious.txt"), "mine");
}

TEST_F(PlacingTest, ALinkToAModelOnAnotherDiskCounts) {
  ASSERT_TRUE(pull_from(kRepository, {{kFile, first_}}));
  fs::rename(store() / kFolder, store() / "big-disk");
  fs::create_directory_symlink(store() / "big-disk", store() / kFolder);
  EXPECT_TRUE(pull_from(kRepository, {{kFile, first_}})->was_there);
  const auto newer = pull_from(kRepository, {{kFile, second_}});
  ASSERT_TRUE(newer) << newer.error().message;
  EXPECT_TRUE(stored("big-disk/" + std::string(kFile)) == first_);
}

TEST_F(PlacingTest, AProjectorThatCannotBeUsedIsRemarked) {
  const auto pulled = pull_from(kRepository, {{kFile, first_}, {"mmproj-f16.gguf", "no projector"}});
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_NE(pulled->remark.find("mmproj-f16.gguf"), std::string::npos) << pulled->remark;
}

TEST_F(PlacingTest, ANewerRevisionTakesTheUsersFilesAlong) {
  ASSERT_TRUE(pull_from(kRepository, {{kFile, first_}}));
  put(std::string(kFolder) + "/adapter/weights.bin", "mine");
  put(std::string(kFolder) + "/notes.txt", "mine too");
  const auto newer = pull_from(kRepository, {{kFile, second_}});
  ASSERT_TRUE(newer) << newer.error().message;
  EXPECT_EQ(newer->remark, "");
  EXPECT_TRUE(in_folder(kFile) == second_);
  EXPECT_EQ(in_folder("adapter/weights.bin"), "mine");
  EXPECT_EQ(in_folder("notes.txt"), "mine too");
  EXPECT_FALSE(fs::exists(store() / (std::string(kFolder) + ".partial")));
}

TEST_F(PlacingTest, AFileThatSomebodyChangedIsKeptBeside) {
  ASSERT_TRUE(pull_from(kRepository, {{kFile, first_}}));
  put(std::string(kFolder) + "/" + kFile, "changed by hand");
  const auto newer = pull_from(kRepository, {{kFile, second_}});
  ASSERT_TRUE(newer) << newer.error().message;
  EXPECT_NE(newer->remark.find(".kept"), std::string::npos) << newer->remark;
  EXPECT_TRUE(in_folder(kFile) == second_);
  EXPECT_EQ(stored(std::string(kFolder) + ".kept/" + kFile), "changed by hand");
  put(std::string(kFolder) + "/" + kFile, "changed again");
  ASSERT_TRUE(pull_from(kRepository, {{kFile, first_}}));
  EXPECT_EQ(stored(std::string(kFolder) + ".kept-2/" + kFile), "changed again");
}

TEST_F(PlacingTest, AnUnfinishedFolderIsClearedOfWhatPullsLeftAlone) {
  const std::string partial = std::string(kFolder) + ".partial/";
  put(partial + "gone.gguf", "an older revision's");
  put(partial + "gone.gguf.state", "{}");
  put(partial + "half.gguf.part", "likewise");
  put(partial + "notes.txt", "mine");
  ASSERT_TRUE(pull_from(kRepository, {{kFile, first_}}));
  EXPECT_EQ(in_folder("notes.txt"), "mine");
  EXPECT_EQ(std::distance(fs::directory_iterator(store() / kFolder), fs::directory_iterator()), 3);
}

}  // namespace
}  // namespace carat::hub
