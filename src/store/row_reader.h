#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/sha256.h"
#include "base/uuid.h"
#include "base/wall_clock.h"
#include "store/database.h"

namespace carat::store {

// Reads the columns of a row one after the other, and remembers the first value that cannot be.
class RowReader {
 public:
  RowReader(const Database& database, const Query& row) : database_(database), row_(row) {}

  Uuid uuid();
  std::string text() { return row_.text(column_++); }
  std::int64_t integer() { return row_.integer(column_++); }
  WallTime time() { return row_.time(column_++); }
  Sha256Digest digest();
  std::span<const std::byte> bytes() { return row_.bytes(column_++); }

  // The same for columns that may be null: reader.maybe(&RowReader::uuid).
  template <class T>
  std::optional<T> maybe(T (RowReader::*read)()) {
    if (!row_.is_null(column_)) return (this->*read)();
    ++column_;
    return std::nullopt;
  }

  // A column that holds the name of an enumeration's value.
  template <class Enumeration>
  Enumeration named(std::optional<Enumeration> (*find)(std::string_view), std::string_view what) {
    const auto found = find(text());
    if (found) return *found;
    wrong(what);
    return Enumeration{};
  }

  // The value of a Result; a failed one makes the row wrong.
  template <class T>
  T value_of(Result<T> result) {
    if (result) return std::move(*result);
    wrong(result.error().message);
    return T{};
  }

  void wrong(std::string_view what) {
    if (problem_.empty()) problem_ = what;
  }
  Result<> check() const {
    if (problem_.empty()) return {};
    return std::unexpected(database_.damaged(problem_));
  }

 private:
  const Database& database_;
  const Query& row_;
  int column_ = 0;
  std::string problem_;
};

}  // namespace carat::store
