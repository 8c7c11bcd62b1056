# The tiers of ./dev test. Sourced by ./dev.
#   (none)   release tests and the include table
#   --full   the gate: lint, every instruction set, sanitizers, a slice of fuzzing as well
#   --long   --full, then soaks, with a dated result file under build/results/

passed=0 failed=0 skipped=0
failed_steps=()

# step NAME COMMAND...: runs it, and goes on after a failure so that one run shows them all.
step() {
  local name=$1 start=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  # errexit does not hold inside an if: every step returns its own status.
  if "$@"; then
    printf -- '-- %s: ok (%d s)\n' "$name" $((SECONDS - start))
  else
    printf -- '-- %s: FAILED (%d s)\n' "$name" $((SECONDS - start))
    failed_steps+=("$name")
  fi
}

# report_count FILE NAME: a number from the head of a JUnit report, e.g. tests="12".
report_count() { sed '/<testcase/q' "$1" | grep -o "[[:space:]]$2=\"[0-9]*\"" | grep -o '[0-9]*' || echo 0; }

# run_ctest NAME PRESET [CTEST ARGUMENTS...]: prints what did not pass and the summary; adds to the totals.
run_ctest() {
  local name=$1 preset=$2 status=0 report tests bad not_run
  shift 2
  report=$PWD/build/results/$name.xml
  mkdir -p build/results
  rm -f "$report"
  ctest --test-dir "build/$preset" --parallel "$(nproc)" --output-on-failure --no-tests=error \
    --output-junit "$report" "$@" |
    { grep -vE '^ *Start |\. +Passed +[0-9.]+ sec|^(Internal ctest|Test project)' || true; } || status=1
  [[ -f $report ]] || return 1
  tests=$(report_count "$report" tests)
  bad=$(report_count "$report" failures)
  not_run=$(($(report_count "$report" skipped) + $(report_count "$report" disabled)))
  passed=$((passed + tests - bad - not_run)) failed=$((failed + bad)) skipped=$((skipped + not_run))
  return "$status"
}

# This script against stand-ins for apt and the rest; its tests join the totals.
test_script() {
  local log=build/results/script.log status=0 bad
  mkdir -p build/results
  tests/dev/dev_test >"$log" || status=1
  grep -v '^ok ' "$log"
  bad=$(grep -c '^FAILED ' "$log" || true)
  passed=$((passed + $(grep -c '^ok ' "$log" || true))) failed=$((failed + bad))
  return "$status"
}

build_tests() {
  need_disk . 1500 "building the tests"
  configure release CARAT_BUILD_TESTS:BOOL=ON && build release all
}

# Tests of one instruction set have its name at the end of theirs; ctest may add a comment to a name.
levels=(scalar avx2 avxvnni avx512vnni avx512bf16)
level_tests() { local IFS='|' && echo "[/_]($*)( |\$)"; }

# Each instruction set by itself, forced, with a line from the program that proves it is the one in use. One that
# this CPU lacks is said to be missing; it counts neither as passed nor as failed.
test_levels() {
  local level present status=0
  present=$(build/release/bin/carat doctor --json | tools/cpu_levels) || return 1
  for level in "${levels[@]}"; do
    if [[ " $present " != *" $level "* ]]; then
      echo "NOT RUN: level $level (this CPU lacks it)"
      continue
    fi
    CARAT_CPU=$level build/release/bin/carat doctor --json | tools/cpu_levels --expect "$level" || status=1
    CARAT_CPU=$level run_ctest "level-$level" release -R "$(level_tests "$level")" || status=1
  done
  return "$status"
}

# Tests labelled slow take minutes under a sanitizer; the release run has them.
test_asan() {
  need_disk . 4000 "the sanitizer build"
  configure asan && build asan all && run_ctest asan asan -LE slow
}

test_tsan() {
  configure tsan && build tsan parallel_test backend_cpu_test engine_test model_test http_test hub_test store_test \
    server_test server_openai_test &&
    run_ctest tsan tsan -LE slow -R '^(parallel|backend_cpu|engine|model|http|hub|store|server|server_openai)\.' \
      -E '^engine\.ConstrainedTest' # a locked-down worker has no room for this sanitizer
}

test_default_tier() {
  step "include table" tools/check_includes
  step "security table" tools/check_security
  step "the script" test_script
  step "build" build_tests
  step "tests" run_ctest release release
}

test_full_tier() {
  step "lint" lint
  step "the script" test_script
  step "build" build_tests
  step "tests" run_ctest release release -E "$(level_tests "${levels[@]}")"
  step "instruction sets" test_levels
  step "weak symbols" tools/check_weak_symbols build/release
  step "address and undefined-behaviour sanitizers" test_asan
  step "thread sanitizer" test_tsan
  step "fuzzing" fuzz 60
  step "README commands" tools/check_readme
}

# Repetition in random order finds tests that lean on each other, and races that one run seldom shows.
test_long_tier() {
  test_full_tier
  step "soak: tests, five times in random order" \
    run_ctest soak release --schedule-random --repeat until-fail:5 --timeout 3600
  step "soak: sanitizers, slow tests too" run_ctest soak-asan asan -L slow --timeout 7200
  step "soak: fuzzing" fuzz 3600
}

describe_run() {
  echo "date: $(date -u +%Y-%m-%dT%H:%M:%SZ)"
  echo "commit: $(git describe --always --dirty 2>/dev/null || echo unknown)"
  echo "system: $(distribution), Linux $(uname -r)"
  echo "cpu: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n1), $(nproc) threads"
}

finish() {
  echo
  if ((${#failed_steps[@]})); then printf 'FAILED: %s\n' "${failed_steps[@]}"; fi
  # A step that failed without a failed test (a build, a check) counts as one.
  ((${#failed_steps[@]} == 0 || failed > 0)) || failed=${#failed_steps[@]}
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  ((failed == 0))
}

# run_tests TIER
run_tests() {
  case $1 in
    '') setup test && ensure_model && test_default_tier && finish ;;
    --full) setup full && ensure_clients && ensure_model && test_full_tier && finish ;;
    --long)
      setup full && ensure_clients && ensure_model
      mkdir -p build/results
      { describe_run && test_long_tier && finish; } |& tee "build/results/$(date -u +%Y-%m-%d-%H%M).txt"
      ;;
    *) die "test: unknown argument $1 (--full or --long)" ;;
  esac
}
