#include "hub/download.h"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace carat::hub {
namespace {

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stopped == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// What the connections of one download share.
struct Transfer {
  const RemoteFile& file;
  PartFile& part;
  const Download& how;
  std::mutex reporting;
};

enum class Verdict {
  kUnknown,   // no answer yet
  kGood,      // the bytes that were asked for
  kBusy,      // the server may do better later
  kNoRanges,  // the whole file where a part was asked for
  kFinal,     // no use in asking again
};

// One answer to one request for bytes, on its way into the part file. It takes exactly what was asked for.
class PieceSink final : public http::BodySink {
 public:
  PieceSink(Transfer& transfer, ByteRange range) : transfer_(transfer), range_(range) {}

  Verdict verdict() const { return verdict_; }
  bool is_final() const { return verdict_ == Verdict::kFinal; }
  std::optional<std::chrono::seconds> retry_after() const { return retry_after_; }
  ByteRange rest() const { return range_; }  // what did not come yet

  Result<> begin(const http::ResponseHead& head) override {
    const bool whole = range_ == ByteRange{0, transfer_.file.bytes};
    if (head.status == 206) {
      const std::string expected =
          fmt::format("bytes {}-{}/{}", range_.begin, range_.end - 1, transfer_.file.bytes);
      const std::string_view found = head.find("Content-Range").value_or("(none)");
      if (found != expected) {
        return refuse("expected the range '{}', the server sends '{}'", expected, found);
      }
      return check_length(head, range_.size());
    }
    if (head.status == 200 && whole) return check_length(head, transfer_.file.bytes);
    if (head.status == 200) {
      verdict_ = Verdict::kNoRanges;
      return fail(ErrorKind::kNetwork, "{}: the server does not send parts of the file", transfer_.file.name);
    }
    verdict_ = may_pass(head.status) ? Verdict::kBusy : Verdict::kFinal;
    retry_after_ = parse_retry_after(head.find("Retry-After"));
    return std::unexpected(transfer_.how.refusal(head));
  }

  Result<> write(std::span<const std::byte> bytes) override {
    if (bytes.size() > range_.size()) return refuse("the server sends more bytes than it promised");
    CARAT_TRY_VOID(transfer_.part.write(range_.begin, bytes));
    range_.begin += bytes.size();
    const std::lock_guard lock(transfer_.reporting);
    transfer_.how.progress(transfer_.part.done_bytes());
    return {};
  }

 private:
  template <class... Args>
  std::unexpected<Error> refuse(fmt::format_string<Args...> format, Args&&... args) {
    verdict_ = Verdict::kFinal;
    return fail(ErrorKind::kNetwork, "{}: {}", transfer_.file.name,
                fmt::format(format, std::forward<Args>(args)...));
  }

  Result<> check_length(const http::ResponseHead& head, std::uint64_t expected) {
    const auto stated = head.find("Content-Length");
    if (stated && to_number(*stated).value_or(0) > expected) {
      return refuse("expected {} bytes, the server sends {}", expected, *stated);
    }
    verdict_ = Verdict::kGood;
    return {};
  }

  Transfer& transfer_;
  ByteRange range_;
  Verdict verdict_ = Verdict::kUnknown;
  std::optional<std::chrono::seconds> retry_after_;
};

Result<http::ResponseHead> send(const Transfer& transfer, PieceSink& sink, std::optional<ByteRange> range,
                                const std::stop_token& stop) {
  http::Request request{.url = transfer.file.url};
  if (!transfer.how.authorization.empty()) {
    request.headers.push_back({"Authorization", transfer.how.authorization});
  }
  if (range) {
    request.headers.push_back({"Range", fmt::format("bytes={}-{}", range->begin, range->end - 1)});
  }
  return transfer.how.client.send(request, sink, stop);
}

// After a try that did not bring everything: waits for the next one, or says why there is none.
Result<> wait_after(const Result<http::ResponseHead>& sent, const PieceSink& sink, Retries& retries,
                    const Transfer& transfer, const std::stop_token& stop) {
  const bool may_work = sent || (sent.error().kind == ErrorKind::kNetwork && !sink.is_final());
  const auto wait = may_work ? retries.next(sink.retry_after()) : std::nullopt;
  if (wait) return transfer.how.waiter.wait(*wait, stop);
  if (!sent) return std::unexpected(sent.error());
  return fail(ErrorKind::kNetwork, "{}: the server sends fewer bytes than it promised", transfer.file.name);
}

enum class Ranges { kHonoured, kIgnored };

// Fetches `range`, however many requests that takes, unless the server does not do ranges.
Result<Ranges> fetch_range(Transfer& transfer, ByteRange range, const std::stop_token& stop) {
  Retries retries;
  while (true) {
    PieceSink sink(transfer, range);
    const auto sent = send(transfer, sink, range, stop);
    if (sink.verdict() == Verdict::kNoRanges) return Ranges::kIgnored;
    if (sink.rest().size() == 0 && !sink.is_final()) return Ranges::kHonoured;
    if (sink.rest().begin > range.begin) retries.reset();
    range = sink.rest();
    CARAT_TRY_VOID(wait_after(sent, sink, retries, transfer, stop));
  }
}

// The whole file on one connection; each try begins at its start.
Result<> fetch_whole(Transfer& transfer, const std::stop_token& stop) {
  Retries retries;
  while (true) {
    PieceSink sink(transfer, {0, transfer.file.bytes});
    const auto sent = send(transfer, sink, std::nullopt, stop);
    if (sink.rest().size() == 0 && !sink.is_final()) return {};
    CARAT_TRY_VOID(wait_after(sent, sink, retries, transfer, stop));
  }
}

// Fetches all pieces on several connections. The first failure ends them all and is the result.
Result<> fetch_pieces(Transfer& transfer, const std::vector<ByteRange>& pieces, const std::stop_token& stop) {
  std::stop_source all;
  const std::stop_callback forward(stop, [&all] { all.request_stop(); });
  std::mutex mutex;  // of the two below
  std::size_t next = 0;
  Result<> result;
  const auto work = [&] {
    while (!all.stop_requested()) {
      ByteRange piece;
      {
        const std::lock_guard lock(mutex);
        if (next == pieces.size()) return;
        piece = pieces[next++];
      }
      auto ranges = fetch_range(transfer, piece, all.get_token());
      if (ranges && *ranges == Ranges::kIgnored) {
        ranges = fail(ErrorKind::kNetwork, "{}: the server stopped sending parts", transfer.file.name);
      }
      if (ranges) continue;
      const std::lock_guard lock(mutex);
      if (result) result = std::unexpected(ranges.error());
      all.request_stop();
    }
  };
  {
    std::vector<std::jthread> workers(std::min(transfer.how.options.connections, pieces.size()));
    for (std::jthread& worker : workers) worker = std::jthread(work);
  }
  if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
  return result;
}

Result<> fetch_missing(Transfer& transfer, const std::stop_token& stop) {
  const DownloadOptions& options = transfer.how.options;
  const auto missing = [&](std::uint64_t most) {
    return transfer.part.done().missing(transfer.file.bytes, most);
  };
  const auto first = missing(options.first_bytes);
  if (first.empty()) return {};
  CARAT_TRY(const Ranges ranges, fetch_range(transfer, first.front(), stop));
  if (ranges == Ranges::kIgnored) return fetch_whole(transfer, stop);
  CARAT_TRY_VOID(transfer.how.look());
  return fetch_pieces(transfer, missing(options.piece_bytes), stop);
}

}  // namespace

Result<> download(const RemoteFile& file, PartFile& part, const Download& how, const std::stop_token& stop) {
  Transfer transfer{.file = file, .part = part, .how = how, .reporting = {}};
  const Result<> fetched = fetch_missing(transfer, stop);
  const Result<> saved = part.save();
  return fetched ? saved : fetched;
}

}  // namespace carat::hub
