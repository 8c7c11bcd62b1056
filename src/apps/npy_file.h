#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/output_file.h"
#include "base/result.h"

namespace carat::apps {

// Header of a NumPy file, format 1.0, for a C-ordered little-endian f32 array [rows, columns]; a multiple of
// 64 bytes long, as the format asks.
std::string npy_header(std::size_t rows, std::size_t columns);

// A matrix of f32 that is written row by row, so that it need not fit in memory.
class NpyFile {
 public:
  static Result<NpyFile> create(const std::string& path, std::size_t rows, std::size_t columns);

  Result<> write_row(std::span<const float> row);  // [columns]
  Result<> commit();                               // after all rows

 private:
  NpyFile(OutputFile file, std::size_t rows, std::size_t columns)
      : file_(std::move(file)), rows_left_(rows), columns_(columns) {}

  OutputFile file_;
  std::size_t rows_left_;
  std::size_t columns_;
};

}  // namespace carat::apps
