#include "server/picture_budget.h"

#include <atomic>
#include <memory>
#include <span>
#include <stop_token>
#include <utility>

namespace carat::server {
namespace {

using Pixels = std::atomic<std::size_t>;

// A picture that counts as long as it lives.
struct CountedPicture {
  CountedPicture(std::shared_ptr<const prompt::Picture> counted, std::shared_ptr<Pixels> all)
      : picture(std::move(counted)), total(std::move(all)) {}
  ~CountedPicture() { *total -= picture->pixels.pixels.size(); }
  CountedPicture(const CountedPicture&) = delete;
  CountedPicture& operator=(const CountedPicture&) = delete;

  std::shared_ptr<const prompt::Picture> picture;
  std::shared_ptr<Pixels> total;
};

std::unexpected<Error> no_room() {
  return fail(ErrorKind::kOverloaded, "there is no room for more pictures now; try again later");
}

}  // namespace

ImageDecoder with_picture_budget(ImageDecoder decode, std::size_t most_bytes) {
  return [decode = std::move(decode), most_bytes, total = std::make_shared<Pixels>(0)](
             std::span<const std::byte> file,
             const std::stop_token& stop) -> Result<std::shared_ptr<const prompt::Picture>> {
    if (*total >= most_bytes) return no_room();
    CARAT_TRY(auto picture, decode(file, stop));
    *total += picture->pixels.pixels.size();
    auto counted = std::make_shared<CountedPicture>(std::move(picture), total);
    if (*total > most_bytes) return no_room();
    const prompt::Picture* seen = counted->picture.get();
    return std::shared_ptr<const prompt::Picture>(std::move(counted), seen);
  };
}

}  // namespace carat::server
