#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/active_request.h"

namespace carat::engine {

// Requests that wait to be admitted, in turns of their owners, first come first served within each. Those
// that ran before and lost their memory come before all others. Not thread-safe.
class AdmissionQueue {
 public:
  void push(std::unique_ptr<ActiveRequest> request);
  void put_back(std::unique_ptr<ActiveRequest> request);  // before all others

  // Whose turn it is; null when the queue is empty. The same until pop() or a push.
  const ActiveRequest* next() const;
  std::unique_ptr<ActiveRequest> pop();

  // Takes those out for which `unwanted` holds.
  std::vector<std::unique_ptr<ActiveRequest>> remove_if(const std::function<bool(ActiveRequest&)>& unwanted);

  std::size_t size() const;
  bool empty() const { return size() == 0; }

 private:
  using Line = std::deque<std::unique_ptr<ActiveRequest>>;

  std::map<std::string, Line>::const_iterator next_line() const;

  Line put_back_;
  std::map<std::string, Line> lines_;  // by owner, none of them empty
  std::string latest_;                 // the owner that pop() served last
};

}  // namespace carat::engine
