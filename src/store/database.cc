#include "store/database.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "store/private_file.h"

namespace carat::store {
namespace {

constexpr int kMostBytes = 128 << 20;  // of one value or row
constexpr int kMostSqlBytes = 1 << 20;
constexpr std::uintmax_t kLeastPageBytes = 512;

bool no_space(int code, int system_error) {
  const int primary = code & 0xFF;
  return primary == SQLITE_FULL ||
         (primary == SQLITE_IOERR && (system_error == ENOSPC || system_error == EDQUOT));
}

}  // namespace

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Query::Query(Query&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)), code_(other.code_) {}

void Query::keep(int code) {
  if (code_ == SQLITE_OK) code_ = code;
}

void Query::bind(int place, std::int64_t value) { keep(sqlite3_bind_int64(statement_, place, value)); }

void Query::bind(int place, std::string_view text) {
  // A null pointer would be bound as NULL.
  const char* data = text.empty() ? "" : text.data();
  keep(sqlite3_bind_text64(statement_, place, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Query::bind(int place, std::span<const std::byte> bytes) {
  const void* data = bytes.empty() ? static_cast<const void*>("") : bytes.data();
  keep(sqlite3_bind_blob64(statement_, place, data, bytes.size(), SQLITE_TRANSIENT));
}

void Query::bind(int place, std::nullopt_t) { keep(sqlite3_bind_null(statement_, place)); }

Result<bool> Query::next() {
  if (code_ != SQLITE_OK) return std::unexpected(database_->error(code_));
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  code_ = code;
  return std::unexpected(database_->error(code));
}

bool Query::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

std::int64_t Query::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Query::text(int column) const {
  const unsigned char* data = sqlite3_column_text(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr || size <= 0) return {};
  return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)};
}

std::span<const std::byte> Query::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const std::byte*>(data), static_cast<std::size_t>(size)};
}

WallTime Query::time(int column) const { return WallTime(std::chrono::microseconds(integer(column))); }

Database::Database(sqlite3* handle, std::string name) : handle_(handle), name_(std::move(name)) {}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  CARAT_CHECK(sqlite3_close(handle_) == SQLITE_OK);  // no Query outlives its database
}

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& path,
                                                 const DatabaseOptions& options) {
  CARAT_TRY_VOID(prepare_private_file(path));
  // A file of one byte is an empty one to SQLite, and would be written over.
  std::error_code no_size;
  const auto size = std::filesystem::file_size(path, no_size);
  if (!no_size && size > 0 && size < kLeastPageBytes) {
    return fail(ErrorKind::kFailed, "{}: this is no database of Carat", path.string());
  }
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  if (handle == nullptr) return fail(ErrorKind::kFailed, "{}: out of memory", path.string());
  std::unique_ptr<Database> database(new Database(handle, path.string()));
  if (code != SQLITE_OK) return std::unexpected(database->error(code));
  sqlite3_busy_timeout(handle, static_cast<int>(options.busy_wait.count()));
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, kMostBytes);
  sqlite3_limit(handle, SQLITE_LIMIT_SQL_LENGTH, kMostSqlBytes);
  // What the file's own schema says is trusted no further than its rows are.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  std::string settings = "PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON; PRAGMA synchronous = FULL;";
  if (options.most_pages) settings += fmt::format("PRAGMA max_page_count = {};", *options.most_pages);
  CARAT_TRY_VOID(database->script(settings));
  return database;
}

Result<> Database::use_write_ahead_log() {
  Query run = query("PRAGMA journal_mode = WAL");
  CARAT_TRY(const bool found, run.next());
  if (found && run.text(0) == "wal") return {};
  return fail(ErrorKind::kFailed,
              "{}: the file system cannot hold a write-ahead log of SQLite (found mode {})", name_,
              found ? run.text(0) : "none");
}

void Database::flush_log() {
  sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
}

Result<> Database::script(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error(code));
  return {};
}

Query Database::prepare(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end()) {
    CARAT_CHECK(sqlite3_stmt_busy(found->second) == 0);
    return Query(*this, found->second, SQLITE_OK);
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code == SQLITE_OK) statements_.emplace(sql, statement);
  return Query(*this, statement, code);
}

Result<> Database::finish(Query& query) {
  while (true) {
    CARAT_TRY(const bool more, query.next());
    if (!more) return {};
  }
}

std::int64_t Database::changed_rows() const { return sqlite3_changes64(handle_); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

Error Database::damaged(std::string_view what) const {
  return {ErrorKind::kFailed, fmt::format("{}: the database is damaged: {}", name_, what)};
}

Error Database::error(int code) const {
  const int system_error = sqlite3_system_errno(handle_);
  if (no_space(code, system_error)) {
    return {ErrorKind::kDiskFull, fmt::format("{}: no space left; nothing was changed", name_)};
  }
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorKind::kBusy, fmt::format("{}: another program is using it; try again", name_)};
    case SQLITE_NOTADB: return {ErrorKind::kFailed, fmt::format("{}: this is no database of Carat", name_)};
    case SQLITE_CORRUPT: return damaged("SQLite cannot read a part of it");
    case SQLITE_CONSTRAINT:
      return {ErrorKind::kConflict, fmt::format("{}: refused: {}", name_, sqlite3_errmsg(handle_))};
    case SQLITE_TOOBIG:
      return {ErrorKind::kQuota, fmt::format("{}: a value is larger than {} MiB", name_, kMostBytes >> 20)};
    case SQLITE_NOMEM: return {ErrorKind::kFailed, fmt::format("{}: out of memory", name_)};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_IOERR:
      return {ErrorKind::kFailed,
              fmt::format("{}: {}{}{}", name_, sqlite3_errstr(code), system_error != 0 ? ": " : "",
                          system_error != 0 ? std::strerror(system_error) : "")};
    default: return damaged(sqlite3_errmsg(handle_));
  }
}

Result<Transaction> Transaction::begin(Database& database) {
  CARAT_CHECK(!database.in_transaction());
  CARAT_TRY_VOID(database.change("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}

// SQLite undoes some failed transactions itself; a rollback that fails leaves that to the connection's end.
Transaction::~Transaction() {
  if (database_ != nullptr && database_->in_transaction()) (void)database_->change("ROLLBACK");
}

Result<> Transaction::commit() {
  CARAT_TRY_VOID(database_->change("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace carat::store
