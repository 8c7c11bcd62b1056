#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "http/client.h"
#include "hub/part_file.h"
#include "hub/pull_plan.h"
#include "hub/retry.h"

namespace carat::hub {

struct DownloadOptions {
  std::size_t connections = 4;
  std::uint64_t piece_bytes = std::uint64_t{64} << 20;  // asked for at once on one connection
  std::uint64_t first_bytes = std::uint64_t{1} << 20;   // asked for alone, to see whether ranges are honoured
};

struct Download {
  const http::Client& client;
  Waiter& waiter;
  DownloadOptions options;
  std::string authorization;                                // header; empty: none
  std::function<Error(const http::ResponseHead&)> refusal;  // what a status means
  std::function<void(std::uint64_t)> progress;  // bytes of the file so far; by one thread at a time
  std::function<Result<>()> look;  // called once the first bytes are in the part file; an Error ends it
};

// Fetches what `part` lacks, several ranges at a time, or the whole file from its start where the server does
// not do ranges; tries again when a connection is cut or the server is busy. What came is in `part`, and
// saved, whatever the result. kNetwork when the server gives up, sends more bytes than promised or other ones
// than asked for.
Result<> download(const RemoteFile& file, PartFile& part, const Download& how, const std::stop_token& stop);

}  // namespace carat::hub
