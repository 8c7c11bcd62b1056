// The worker program of the tests: jobs that keep the rules, and jobs that break each of them.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <vector>

#include "worker/message.h"
#include "worker/serve.h"

namespace carat::worker {
namespace {

using Bytes = std::span<const std::byte>;
using Reply = Result<std::vector<std::byte>>;

Reply number(int value) {
  MessageWriter out;
  out.u32(static_cast<std::uint32_t>(value));
  return out.take();
}

Reply echo(Bytes request) { return std::vector<std::byte>(request.begin(), request.end()); }
Reply refuse(Bytes) { return fail(ErrorKind::kFailed, "no: \x1b[31m{}", "this is not a picture"); }
Reply crash(Bytes) {
  std::raise(SIGSEGV);
  return number(0);
}
Reply abort_now(Bytes) { std::abort(); }
Reply leave(Bytes) { ::_exit(7); }
Reply spin(Bytes) {
  volatile bool on = true;
  while (on) {
  }
  return number(0);
}
Reply sleep(Bytes) {
  while (true) ::pause();
}
Reply eat_memory(Bytes) {
  std::vector<std::vector<std::byte>> eaten;
  while (true) eaten.emplace_back(std::size_t{64} << 20);
}
Reply open_file(Bytes) { return number(::open("/etc/hostname", O_RDONLY) < 0 ? errno : 0); }
Reply write_file(Bytes) { return number(::creat("/tmp/carat-worker-escape", 0600) < 0 ? errno : 0); }
Reply open_socket(Bytes) { return number(::socket(AF_INET, SOCK_STREAM, 0)); }
Reply run_program(Bytes) { return number(::execl("/bin/true", "true", nullptr)); }
Reply make_code(Bytes) {
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return number(::mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0 ? errno : 0);
}
Reply use_thread(Bytes) {
  int value = 0;
  std::thread([&value] { value = 42; }).join();
  return number(value);
}
Reply count_secrets(Bytes) {
  int count = 0;
  for (char** variable = ::environ; variable != nullptr && *variable != nullptr; ++variable) ++count;
  return number(count);
}
Reply lie_about_length(Bytes) {
  const HeaderBytes header = encode_header({MessageKind::kDone, ~std::uint64_t{0}});
  static_cast<void>(!::write(STDIN_FILENO, header.data(), header.size()));
  return number(0);
}
Reply stop_halfway(Bytes) {
  const HeaderBytes header = encode_header({MessageKind::kDone, 1000});
  static_cast<void>(!::write(STDIN_FILENO, header.data(), header.size()));
  ::_exit(0);
}

std::vector<Job> jobs() {
  return {
      {"echo", nullptr, echo},
      {"refuse", nullptr, refuse},
      {"crash", nullptr, crash},
      {"abort", nullptr, abort_now},
      {"leave", nullptr, leave},
      {"spin", nullptr, spin},
      {"sleep", nullptr, sleep},
      {"eat_memory", nullptr, eat_memory},
      {"open_file", nullptr, open_file},
      {"write_file", nullptr, write_file},
      {"open_socket", nullptr, open_socket},
      {"run_program", nullptr, run_program},
      {"make_code", nullptr, make_code},
      {"use_thread", nullptr, use_thread},
      {"count_secrets", nullptr, count_secrets},
      {"lie_about_length", nullptr, lie_about_length},
      {"stop_halfway", nullptr, stop_halfway},
      {"count_requests", nullptr, [count = 0](Bytes) mutable { return number(++count); }, true},
  };
}

}  // namespace
}  // namespace carat::worker

int main(int argc, char** argv) {
  return argc == 2 ? carat::worker::serve(carat::worker::jobs(), argv[1]) : EXIT_FAILURE;
}
