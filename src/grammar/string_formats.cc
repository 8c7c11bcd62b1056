#include "grammar/string_formats.h"

namespace carat::grammar {
namespace {

// Months with their days, without the leap day; years 1000 to 2999.
#define CARAT_DATE                                                                             \
  "[12][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|" \
  "02-(0[1-9]|1[0-9]|2[0-8]))"
#define CARAT_TIME \
  "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
#define CARAT_LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?"
#define CARAT_OCTET "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

struct Format {
  std::string_view name;
  std::string_view pattern;
};
constexpr Format kFormats[] = {
    {"date", "^" CARAT_DATE "$"},
    {"time", "^" CARAT_TIME "$"},
    {"date-time", "^" CARAT_DATE "T" CARAT_TIME "$"},
    {"email", "^[A-Za-z0-9_+-]+(\\.[A-Za-z0-9_+-]+)*@" CARAT_LABEL "(\\." CARAT_LABEL ")+$"},
    {"hostname", "^" CARAT_LABEL "(\\." CARAT_LABEL "){0,7}$"},
    {"ipv4", "^(" CARAT_OCTET "\\.){3}" CARAT_OCTET "$"},
    {"ipv6", "^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$"},
    {"uri", "^https?://" CARAT_LABEL "(\\." CARAT_LABEL ")*(:[1-9][0-9]{1,3})?(/[A-Za-z0-9._~-]*)*"
            "(\\?[A-Za-z0-9._~=&-]*)?(#[A-Za-z0-9._~-]*)?$"},
    {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
};

#undef CARAT_DATE
#undef CARAT_TIME
#undef CARAT_LABEL
#undef CARAT_OCTET

}  // namespace

std::optional<std::string_view> pattern_of_format(std::string_view format) {
  for (const Format& known : kFormats) {
    if (known.name == format) return known.pattern;
  }
  return std::nullopt;
}

}  // namespace carat::grammar
