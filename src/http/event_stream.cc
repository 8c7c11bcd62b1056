#include "http/event_stream.h"

#include <algorithm>
#include <string>

namespace carat::http {
namespace {

// Appends "NAME: line" for each line of `text`; CR LF, CR and LF all end one, as readers of such streams have
// it.
void append_lines(std::string_view name, std::string_view text, std::string& out) {
  while (true) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    out += name;
    out += ": ";
    out += text.substr(0, end);
    out += '\n';
    if (end == text.size()) return;
    text.remove_prefix(text.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
}

}  // namespace

bool EventStream::start(std::vector<Header> headers) const {
  headers.push_back({"Content-Type", "text/event-stream; charset=utf-8"});
  return responder_.start_stream(200, std::move(headers), KeepAlive{.bytes = ": keep-alive\n\n"});
}

bool EventStream::data(std::string_view text) const {
  std::string out;
  append_lines("data", text, out);
  return responder_.write(out + "\n");
}

bool EventStream::event(std::string_view name, std::string_view text) const {
  std::string out = "event: ";
  out += name.substr(0, name.find_first_of("\r\n"));
  out += '\n';
  append_lines("data", text, out);
  return responder_.write(out + "\n");
}

bool EventStream::comment(std::string_view text) const {
  std::string out;
  append_lines("", text, out);
  return responder_.write(out + "\n");
}

bool EventStream::end() const { return responder_.end(); }

}  // namespace carat::http
