#include "server/access_log.h"

#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/clock.h"

namespace carat::server {

std::string access_line(const http::AccessEntry& entry, std::string_view time, bool as_json) {
  const http::ServerRequest& request = entry.request;
  const std::string_view route =
      request.route.empty() ? std::string_view("-") : std::string_view(request.route);
  if (as_json) {
    return boost::json::serialize(boost::json::object{{"time", time},
                                                      {"event", "request"},
                                                      {"peer", request.peer.address},
                                                      {"method", request.method},
                                                      {"route", route},
                                                      {"status", entry.status},
                                                      {"bytes", entry.body_bytes},
                                                      {"seconds", seconds(entry.time)},
                                                      {"complete", entry.complete},
                                                      {"request_id", request.id}});
  }
  return fmt::format("{} {} {} {} {} {} bytes {:.3f} s{} {}", time, request.peer.address, request.method,
                     route, entry.status, entry.body_bytes, seconds(entry.time), entry.complete ? "" : " cut",
                     request.id);
}

std::string failure_line(std::string_view request_id, std::string_view message, std::string_view time,
                         bool as_json) {
  if (as_json) {
    return boost::json::serialize(boost::json::object{
        {"time", time}, {"event", "failure"}, {"request_id", request_id}, {"message", message}});
  }
  return fmt::format("{} {}: {}", time, request_id, message);
}

void AccessLog::record(const http::AccessEntry& entry) {
  post(access_line(entry, options_.time(), options_.as_json));
}

void AccessLog::record_failure(std::string_view request_id, std::string_view message) {
  post(failure_line(request_id, message, options_.time(), options_.as_json));
}

void AccessLog::post(std::string line) {
  thread_.post([this, line = std::move(line)] { options_.write(line); });
}

}  // namespace carat::server
