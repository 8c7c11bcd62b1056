#include "apps/npy_file.h"

#include <bit>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace carat::apps {

static_assert(std::endian::native == std::endian::little, "rows are written as they lie in memory");

std::string npy_header(std::size_t rows, std::size_t columns) {
  using namespace std::string_view_literals;
  constexpr std::size_t kPreamble = 10;  // magic, version, two bytes of header length
  constexpr std::size_t kAlignment = 64;
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
  while ((kPreamble + header.size() + 1) % kAlignment != 0) header += ' ';
  header += '\n';
  std::string out("\x93NUMPY\x01\x00"sv);
  out += static_cast<char>(header.size() & 0xFF);
  out += static_cast<char>(header.size() >> 8);
  return out + header;
}

Result<NpyFile> NpyFile::create(const std::string& path, std::size_t rows, std::size_t columns) {
  CARAT_TRY(OutputFile file, OutputFile::create(path));
  CARAT_TRY_VOID(file.write(npy_header(rows, columns)));
  return NpyFile(std::move(file), rows, columns);
}

Result<> NpyFile::write_row(std::span<const float> row) {
  CARAT_CHECK(rows_left_ > 0 && row.size() == columns_);
  --rows_left_;
  return file_.write(std::as_bytes(row));
}

Result<> NpyFile::commit() {
  CARAT_CHECK(rows_left_ == 0);
  return file_.commit();
}

}  // namespace carat::apps
