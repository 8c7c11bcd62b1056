#include "engine/admission_queue.h"

#include <utility>

#include "base/check.h"

namespace carat::engine {

void AdmissionQueue::push(std::unique_ptr<ActiveRequest> request) {
  Line& line = lines_[request->scope().owner];
  line.push_back(std::move(request));
}

void AdmissionQueue::put_back(std::unique_ptr<ActiveRequest> request) {
  put_back_.push_front(std::move(request));
}

std::map<std::string, AdmissionQueue::Line>::const_iterator AdmissionQueue::next_line() const {
  const auto after = lines_.upper_bound(latest_);
  return after == lines_.end() ? lines_.begin() : after;
}

const ActiveRequest* AdmissionQueue::next() const {
  if (!put_back_.empty()) return put_back_.front().get();
  return lines_.empty() ? nullptr : next_line()->second.front().get();
}

std::unique_ptr<ActiveRequest> AdmissionQueue::pop() {
  CARAT_CHECK(!empty());
  if (!put_back_.empty()) {
    auto request = std::move(put_back_.front());
    put_back_.pop_front();
    return request;
  }
  latest_ = next_line()->first;
  Line& line = lines_[latest_];
  auto request = std::move(line.front());
  line.pop_front();
  if (line.empty()) lines_.erase(latest_);
  return request;
}

std::vector<std::unique_ptr<ActiveRequest>> AdmissionQueue::remove_if(
    const std::function<bool(ActiveRequest&)>& unwanted) {
  std::vector<std::unique_ptr<ActiveRequest>> removed;
  const auto filter = [&](Line& line) {
    for (auto& request : line) {
      if (unwanted(*request)) removed.push_back(std::move(request));
    }
    std::erase(line, nullptr);
  };
  filter(put_back_);
  for (auto& [owner, line] : lines_) filter(line);
  std::erase_if(lines_, [](const auto& entry) { return entry.second.empty(); });
  return removed;
}

std::size_t AdmissionQueue::size() const {
  std::size_t count = put_back_.size();
  for (const auto& [owner, line] : lines_) count += line.size();
  return count;
}

}  // namespace carat::engine
