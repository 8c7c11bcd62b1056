#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "http/server_request.h"
#include "server/api_error.h"
#include "server/key_ring.h"

namespace carat::server {

using Now = std::function<Moment()>;
Moment system_moment();

// How many requests are let in at a time, by whomever. Shared with them, since they may outlive the server.
struct RequestCount {
  std::atomic<std::size_t> running = 0;
};

// A request that was let in: whose it is, and what it takes of its key's limits, until it is answered.
class Admission final : public http::Ticket {
 public:
  // `holder`: null where no keys are needed; else its meter has counted this request already.
  Admission(std::shared_ptr<const KeyHolder> holder, std::shared_ptr<RequestCount> count, Now now);
  ~Admission() override { on_answered(); }
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // The one that a guard gave to the request; null: there was none.
  static Admission* of(const http::ServerRequest& request);

  std::string owner() const { return holder_ == nullptr ? std::string() : holder_->owner; }
  std::string key_name() const { return holder_ == nullptr ? std::string() : holder_->name; }

  // The request may use this many tokens; kTooManyRequests or kQuotaExceeded where that is too much now.
  // Once.
  ApiResult<> reserve(std::int64_t tokens);

  // It used this many: of each finished answer.
  void use(std::int64_t tokens);

  // Gives back what is reserved and not used, and the request's place. The first time counts.
  void on_answered() override;

 private:
  const std::shared_ptr<const KeyHolder> holder_;
  const std::shared_ptr<RequestCount> count_;
  const Now now_;
  std::mutex mutex_;  // for what follows
  KeyMeter::Reservation reservation_;
  std::int64_t used_ = 0;
  bool answered_ = false;
};

// What a client is told of a limit that it has come to.
ApiError limit_error(const KeyMeter::Refusal& refusal);

}  // namespace carat::server
