#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace carat::quantize {

// A folder in the making, as OutputFile is a file: filled beside its place under another name, which commit()
// changes. Without commit() nothing is left behind.
class OutputFolder {
 public:
  // kUsage when `path` exists and is no empty folder.
  static Result<OutputFolder> create(const std::string& path);
  ~OutputFolder();
  OutputFolder(OutputFolder&& other) noexcept;
  OutputFolder& operator=(OutputFolder&&) = delete;

  std::string file(const std::string& name) const { return (temporary_ / name).string(); }
  Result<> commit();

 private:
  OutputFolder(std::filesystem::path target, std::filesystem::path temporary)
      : target_(std::move(target)), temporary_(std::move(temporary)) {}

  std::filesystem::path target_;
  std::filesystem::path temporary_;  // empty after commit
};

}  // namespace carat::quantize
