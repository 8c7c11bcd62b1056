#include "base/huge_buffer.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "base/checked_math.h"

namespace carat {
namespace {

constexpr std::size_t kPage = 4096;

// Large buffers start on a huge page: the kernel backs only whole aligned 2 MiB ranges with one.
std::size_t mapped_size(std::size_t bytes) {
  return bytes < HugeBuffer::kHugePage ? bytes : round_up(bytes, HugeBuffer::kHugePage);
}

}  // namespace

std::size_t HugeBuffer::resident_bytes(std::size_t bytes) { return round_up(mapped_size(bytes), kPage); }

HugeBuffer::~HugeBuffer() {
  if (data_ != nullptr) ::munmap(data_, mapped_size(size_));
}

Result<HugeBuffer> HugeBuffer::allocate(std::size_t bytes) {
  HugeBuffer buffer;
  if (bytes == 0) return buffer;
  const std::size_t wanted = mapped_size(bytes);
  const std::size_t slack = bytes < kHugePage ? 0 : kHugePage;
  void* mapped = wanted < bytes ? MAP_FAILED
                                : ::mmap(nullptr, wanted + slack, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    return fail(ErrorKind::kDoesNotFit, "cannot allocate {:.1f} MiB of memory: {}",
                static_cast<double>(bytes) / (1 << 20), std::strerror(errno));
  }
  std::byte* start = static_cast<std::byte*>(mapped);
  if (slack != 0) {
    const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(start) % kHugePage;
    const std::size_t head = misaligned == 0 ? 0 : kHugePage - misaligned;
    if (head != 0) ::munmap(start, head);
    if (slack != head) ::munmap(start + head + wanted, slack - head);
    start += head;
    ::madvise(start, wanted, MADV_HUGEPAGE);
  }
  buffer.data_ = start;
  buffer.size_ = bytes;
  return buffer;
}

}  // namespace carat
