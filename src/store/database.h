#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/sha256.h"
#include "base/uuid.h"
#include "base/wall_clock.h"

struct sqlite3;
struct sqlite3_stmt;

namespace carat::store {

class Database;

// One run of a prepared statement. Mistakes in preparing and binding are kept and reported by next().
class Query {
 public:
  ~Query();
  Query(Query&& other) noexcept;
  Query& operator=(Query&&) = delete;

  // Steps to the next row; false after the last one.
  Result<bool> next();

  // Columns of the row, counted from 0; what next() returned true for is valid until it is called again.
  // SQLite converts values of another type, so a damaged file gives wrong values here, never wrong memory.
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  std::string text(int column) const;
  std::span<const std::byte> bytes(int column) const;
  WallTime time(int column) const;

 private:
  friend class Database;
  Query(Database& database, sqlite3_stmt* statement, int code)
      : database_(&database), statement_(statement), code_(code) {}

  void bind(int place, std::int64_t value);
  void bind(int place, std::string_view text);
  void bind(int place, const char* text) { bind(place, std::string_view(text)); }
  void bind(int place, const std::string& text) { bind(place, std::string_view(text)); }
  void bind(int place, std::span<const std::byte> bytes);
  void bind(int place, const Uuid& id) { bind(place, std::as_bytes(std::span(id.bytes))); }
  void bind(int place, const Sha256Digest& digest) { bind(place, std::span<const std::byte>(digest)); }
  void bind(int place, WallTime time) { bind(place, std::int64_t{time.time_since_epoch().count()}); }
  void bind(int place, std::nullopt_t);
  template <class T>
  void bind(int place, const std::optional<T>& value) {
    if (value) {
      bind(place, *value);
    } else {
      bind(place, std::nullopt);
    }
  }
  void keep(int code);

  Database* database_;
  sqlite3_stmt* statement_;  // of the database's cache; null when it could not be prepared
  int code_;                 // the first mistake, SQLITE_OK without one
};

struct DatabaseOptions {
  std::chrono::milliseconds busy_wait{5000};    // for a lock that another process holds
  std::optional<std::int64_t> most_pages = {};  // of 4 KiB; beyond, the disk counts as full
};

// One connection to an SQLite file, for one thread at a time. Errors are sentences for people and never hold
// what is stored: kDiskFull, kBusy (locked by another process), kConflict (a constraint), kQuota (a value too
// large), kFailed (damaged, unreadable, no permission, out of memory).
class Database {
 public:
  // Opens the file, or creates it, readable by this user alone. Nothing of an existing file is changed.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path,
                                                const DatabaseOptions& options = {});
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Journal in a write-ahead log, which survives a killed process, and a lost power supply, whole.
  Result<> use_write_ahead_log();

  // Moves the log into the file, so that what was deleted is on the disk no more. Does nothing, quietly,
  // where another process reads.
  void flush_log();

  // Statements without values, separated by semicolons.
  Result<> script(const std::string& sql);

  // `sql` is kept prepared: it must be one of a fixed set of texts. Values go to ?1, ?2 and so on, and are
  // copied. The same text may not be run again while a Query of it lives.
  template <class... Values>
  Query query(std::string_view sql, const Values&... values) {
    Query query = prepare(sql);
    int place = 0;
    (query.bind(++place, values), ...);
    return query;
  }

  // Runs to the end; how many rows it inserted, changed or deleted.
  template <class... Values>
  Result<std::int64_t> change(std::string_view sql, const Values&... values) {
    Query run = query(sql, values...);
    CARAT_TRY_VOID(finish(run));
    return changed_rows();
  }

  // The first column of the first row; 0 where there is none.
  template <class... Values>
  Result<std::int64_t> number(std::string_view sql, const Values&... values) {
    Query run = query(sql, values...);
    CARAT_TRY(const bool found, run.next());
    return found ? run.integer(0) : 0;
  }

  const std::string& name() const { return name_; }  // the path, for messages
  bool in_transaction() const;
  Error damaged(std::string_view what) const;  // the file holds what it cannot

 private:
  friend class Query;
  Database(sqlite3* handle, std::string name);

  Query prepare(std::string_view sql);
  static Result<> finish(Query& query);
  std::int64_t changed_rows() const;
  Error error(int code) const;

  sqlite3* handle_;
  std::string name_;
  std::map<std::string, sqlite3_stmt*, std::less<>> statements_;
};

// All or nothing: what was changed since begin() is undone unless commit() succeeds.
class Transaction {
 public:
  // Takes the write lock at once, so that nothing read inside can be changed by others before it is written.
  static Result<Transaction> begin(Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;

  Result<> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // null when moved from or committed
};

}  // namespace carat::store
