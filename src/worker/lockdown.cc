#include "worker/lockdown.h"

#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>

#include "worker/launcher.h"

namespace carat::worker {
namespace {

// What a decoder's threads need to compute. Everything that is not named here fails with EPERM, unseen by the
// rest of the machine.
constexpr const char* kAllowed[] = {
    "read",
    "readv",
    "write",
    "writev",
    "close",
    "lseek",
    "fstat",
    "newfstatat",
    "poll",
    "ppoll",
    "munmap",
    "mremap",
    "madvise",
    "brk",
    "futex",
    "futex_waitv",
    "membarrier",
    "rseq",
    "set_robust_list",
    "set_tid_address",
    "gettid",
    "getpid",
    "getppid",
    "sched_yield",
    "sched_getaffinity",
    "sched_setaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "getrandom",
    "getrusage",
    "getrlimit",
    "sysinfo",
    "uname",
    "eventfd2",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "restart_syscall",
    "exit",
    "exit_group",
};

// No library does these by accident: the process ends at once, so that the attempt is seen.
constexpr const char* kDeadly[] = {
    "execve", "execveat",    "fork",    "vfork",          "ptrace", "process_vm_readv", "process_vm_writev",
    "socket", "socketpair",  "connect", "bind",           "listen", "accept",           "accept4",
    "sendto", "sendmsg",     "kill",    "pidfd_open",     "mount",  "unshare",          "setns",
    "bpf",    "userfaultfd", "keyctl",  "io_uring_setup",
};

// Files that libraries look for fail as if there were none.
constexpr const char* kAbsent[] = {
    "open", "openat", "openat2", "access",   "faccessat",  "faccessat2",
    "stat", "lstat",  "statx",   "readlink", "readlinkat",
};

// What argument number `argument` of a call must be.
scmp_arg_cmp equals(unsigned argument, scmp_datum_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp masked_equals(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EPERM)), ::seccomp_release) {}

  // Names that this machine's architecture does not have are passed over.
  void add(std::uint32_t action, const char* name, std::initializer_list<scmp_arg_cmp> conditions = {}) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (context_ == nullptr || number < 0) return;
    const int status = ::seccomp_rule_add_array(context_.get(), action, number,
                                                static_cast<unsigned>(conditions.size()), conditions.begin());
    if (status < 0) error_ = -status;
  }

  Result<> load() {
    if (context_ == nullptr) return fail(ErrorKind::kFailed, "cannot make a system-call filter");
    if (error_ == 0) error_ = -::seccomp_load(context_.get());
    if (error_ != 0) {
      return fail(
          ErrorKind::kFailed,
          "this system takes no system-call filter ({}), and files from outside are read behind one only",
          std::strerror(error_));
    }
    return {};
  }

 private:
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int error_ = 0;
};

Result<> filter_system_calls() {
  Filter filter;
  for (const char* name : kAllowed) filter.add(SCMP_ACT_ALLOW, name);
  for (const char* name : kDeadly) filter.add(SCMP_ACT_KILL_PROCESS, name);
  for (const char* name : kAbsent) filter.add(SCMP_ACT_ERRNO(ENOENT), name);
  // By a pipe, the undefined-behaviour sanitizer finds out whether an address can be read.
  if (!kWithoutSanitizer) filter.add(SCMP_ACT_ALLOW, "pipe2");
  // Memory may not become code.
  for (const char* name : {"mmap", "mprotect"}) {
    filter.add(SCMP_ACT_ALLOW, name, {masked_equals(2, PROT_EXEC, 0)});
  }
  // Threads, no processes. The flags of clone3 lie in memory, where a filter cannot look: libc then uses
  // clone.
  filter.add(SCMP_ACT_ALLOW, "clone", {masked_equals(0, CLONE_THREAD, CLONE_THREAD)});
  filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
  filter.add(SCMP_ACT_ALLOW, "prctl", {equals(0, PR_SET_NAME)});
  filter.add(SCMP_ACT_ALLOW, "prlimit64", {equals(2, 0)});  // reads only
  // abort() is a signal to oneself.
  filter.add(SCMP_ACT_ALLOW, "tgkill", {equals(0, static_cast<scmp_datum_t>(::getpid()))});
  return filter.load();
}

// The version of this kernel's Landlock; 0 where there is none.
int landlock_version() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, std::size_t{0}, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

// Access of the first version, which every later one knows: reading, writing, running, making and removing.
constexpr std::uint64_t kFileAccess = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

// A rule set without a rule: whatever it handles is forbidden.
bool forbid_files() {
  landlock_ruleset_attr attributes = {};
  attributes.handled_access_fs = kFileAccess;
  const long rules =
      ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0U);
  if (rules < 0) return false;
  const bool held = ::syscall(SYS_landlock_restrict_self, rules, 0U) == 0;
  ::close(static_cast<int>(rules));
  return held;
}

}  // namespace

Result<std::string> lock_down() {
  ::prctl(PR_SET_DUMPABLE, 0);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail(ErrorKind::kFailed, "cannot give up new privileges: {}", std::strerror(errno));
  }
  const int landlock = landlock_version();
  const bool files_forbidden = landlock > 0 && forbid_files();
  CARAT_TRY_VOID(filter_system_calls());
  return fmt::format("system-call filter, {}, no new privileges",
                     files_forbidden ? fmt::format("Landlock {}", landlock) : "no Landlock");
}

}  // namespace carat::worker
