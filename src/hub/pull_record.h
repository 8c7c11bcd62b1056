#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "hub/pull_plan.h"

namespace carat::hub {

inline constexpr std::string_view kRecordName = "carat.json";  // beside the files of a pulled model

// What was pulled into a folder of the store.
struct PullRecord {
  struct File {
    std::string name;
    std::uint64_t bytes = 0;
    std::string sha256;
    FileRole role = FileRole::kModel;
    bool operator==(const File&) const = default;
  };
  std::string service;
  std::string source;
  std::string revision;
  std::vector<std::string> names;  // what -m may call the model
  std::vector<File> files;

  static PullRecord of(const PullPlan& plan);
  std::string to_json() const;
};

// From to_json's text; `place` is for messages. kInvalidModel when it is no such thing.
Result<PullRecord> parse_record(const std::string& text, const std::string& place);

// kNotFound when the folder has no record, kInvalidModel when it is no such thing.
Result<PullRecord> read_record(const std::filesystem::path& folder);

}  // namespace carat::hub
