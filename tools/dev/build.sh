# Configuring, building, installing, cleaning. Sourced by ./dev.

# Compilers' output is shared between checkouts: paths below this folder count as relative.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

# configured FOLDER NAME:TYPE=VALUE...: true where CMake has run there, with these values.
configured() {
  local folder=$1 setting
  [[ -f $folder/build.ninja && ! CMakePresets.json -nt $folder/build.ninja ]] || return 1
  for setting in "${@:2}"; do
    grep -qx -- "$setting" "$folder/CMakeCache.txt" || return 1
  done
}

# configure PRESET NAME:TYPE=VALUE...: CMake's own words are shown only where it fails.
configure() {
  local folder=build/$1 log=build/configure-$1.log settings=("${@:2}")
  configured "$folder" "${settings[@]}" && return
  mkdir -p build
  say "configuring build/$1"
  if ! cmake --preset "$1" "${settings[@]/#/-D}" >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
}

# build PRESET TARGET...
build() {
  local folder=build/$1
  shift
  cmake --build "$folder" --parallel "$(build_jobs)" --target "$@"
}

# Leaves build/release/bin/carat. Tests need more packages, so a first configuration leaves them out.
build_program() {
  if [[ ! -f build/release/build.ninja ]]; then
    need_disk . 500 "building"
    configure release CARAT_BUILD_TESTS:BOOL=OFF
  fi
  if [[ -x build/release/bin/carat ]]; then
    build release carat -- --quiet | { grep -v 'no work to do' || true; }
  else
    build release carat
  fi
}

install_program() {
  local prefix=$HOME/.local
  while (($#)); do
    case $1 in
      --prefix=*) prefix=${1#--prefix=} ;;
      --prefix) prefix=${2:?--prefix needs a folder} && shift ;;
      *) die "install: unknown argument $1" ;;
    esac
    shift
  done
  # A relative folder is one of the caller's.
  # shellcheck disable=SC2154  # set by ./dev
  prefix=$(cd "$caller_folder" && realpath -m "$prefix")
  build_program
  cmake --install build/release --prefix "$prefix"
}

run_benchmarks() {
  local program
  setup test
  ensure_model
  need_disk . 1000 "building"
  configure release CARAT_BUILD_BENCHMARKS:BOOL=ON
  build release all
  for program in build/release/bin/*_bench; do
    say "$(basename "$program")"
    "$program" --benchmark_min_time=0.2
  done
  start_program bench "$@"
}

clean() {
  rm -rf build .cache/python
  say "removed build/ and .cache/python; the model, settings and ccache's store stay"
}
