# Formatting and static checks. Sourced by ./dev.

sources() { find src tests fuzz -name '*.cc' -o -name '*.h' | LC_ALL=C sort; }

check_format() { sources | xargs --no-run-if-empty clang-format-19 --dry-run -Werror; }

# Needs compile_commands.json, so a configured release folder, but nothing built.
check_tidy() {
  configure release CARAT_BUILD_TESTS:BOOL=ON &&
    tools/tidy build/release --jobs "$(build_jobs)"
}

check_scripts() {
  shellcheck --shell=bash --external-sources dev .ci/run tools/dev/*.sh tools/check_weak_symbols tools/fresh_check \
    tests/dev/dev_test
}

lint() {
  local status=0
  check_format || status=1
  tools/check_includes || status=1
  check_scripts || status=1
  check_tidy || status=1
  return "$status"
}
