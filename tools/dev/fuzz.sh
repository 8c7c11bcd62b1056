# Fuzzing with libFuzzer, under the address and undefined-behaviour sanitizers. Sourced by ./dev.
# The corpora live in build/fuzz/corpus/TARGET: seeds from make_fuzz_seeds, and what earlier runs found.

# fuzz_target PROGRAM SECONDS: one line of result; the log of a failure is printed, its input is kept.
fuzz_target() {
  local program=$1 seconds=$2 name corpus log status=0
  name=$(basename "$program" _fuzz)
  corpus=build/fuzz/corpus/$name
  log=build/fuzz/$name.log
  mkdir -p "$corpus" build/fuzz/found
  "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/found/$name-" "$corpus" >"$log" 2>&1 || status=$?
  printf '%-24s %12s executions   coverage %6s edges   corpus %5s files%s\n' "$name" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
    "$(grep -o 'cov: [0-9]*' "$log" | tail -n1 | cut -d' ' -f2)" \
    "$(find "$corpus" -type f | wc -l)" "$( ((status == 0)) || echo '   FAILED')"
  if ((status)); then tail -n 60 "$log"; fi
  return "$status"
}

# fuzz SECONDS: shared evenly by the targets.
fuzz() {
  local seconds=$1 programs program status=0
  [[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || die "fuzz: $seconds is not a number of seconds"
  configure fuzz && build fuzz fuzzers || return 1
  mapfile -t programs < <(compgen -G 'build/fuzz/bin/*_fuzz')
  if ((${#programs[@]} == 0)); then
    echo "no fuzz targets"
    return 0
  fi
  if [[ -x build/fuzz/bin/make_fuzz_seeds ]]; then
    build/fuzz/bin/make_fuzz_seeds build/fuzz/corpus || return 1
  fi
  seconds=$(((seconds + ${#programs[@]} - 1) / ${#programs[@]}))
  for program in "${programs[@]}"; do
    fuzz_target "$program" "$seconds" || status=1
  done
  return "$status"
}
