# Messages, the lock, temporary files, and how much the machine can take. Sourced by ./dev.

say() { printf 'dev: %s\n' "$*" >&2; }

die() {
  say "$@"
  exit 1
}

offline() { [[ ${CARAT_OFFLINE:-0} != 0 && -n ${CARAT_OFFLINE:-} ]]; }

temporary_paths=()
remove_temporary_paths() {
  if ((${#temporary_paths[@]})); then rm -rf -- "${temporary_paths[@]}"; fi
}
trap remove_temporary_paths EXIT
# Ctrl-C ends the running step through its own handler first; then this script, with the usual status.
trap 'exit 130' INT
trap 'exit 143' TERM

# make_temporary_file NAME: sets the variable NAME to a new empty file, deleted when the script ends or, since
# exec skips that, as soon as the caller has opened it and calls remove_temporary_paths.
make_temporary_file() {
  local path
  path=$(mktemp "${TMPDIR:-/tmp}/carat-dev.XXXXXX")
  temporary_paths+=("$path")
  printf -v "$1" '%s' "$path"
}

# lock FILE DESCRIPTOR WHAT: waits until no other process holds FILE, saying so first.
lock() {
  mkdir -p "$(dirname "$1")"
  eval "exec $2>\"\$1\""
  if ! flock --nonblock "$2"; then
    say "$3; waiting for it"
    flock "$2"
  fi
}

take_lock() { lock .cache/dev.lock 9 "another ./dev is at work in this folder"; }

release_lock() {
  remove_temporary_paths
  exec 9>&-
}

# need_disk FOLDER MEGABYTES PURPOSE: stops where the file system of FOLDER (made or not) has less free.
need_disk() {
  local folder=$1 free
  while [[ ! -d $folder ]]; do folder=$(dirname "$folder"); done
  free=$(LC_ALL=C df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1024) }')
  ((free >= $2)) || die "$3 needs $2 MB free in $folder, which has $free MB"
}

# Build jobs: one a CPU, but no more than memory (free, and allowed by the control group) holds at 1.5 GB each.
build_jobs() {
  local jobs limit_kb file value
  if [[ -n ${CMAKE_BUILD_PARALLEL_LEVEL:-} ]]; then
    echo "$CMAKE_BUILD_PARALLEL_LEVEL"
    return
  fi
  jobs=$(nproc)
  limit_kb=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    value=$(cat "$file" 2>/dev/null || true)
    # 15 digits at most: larger numbers are the kernel's "no limit".
    if [[ $value =~ ^[0-9]{1,15}$ ]] && ((value / 1024 < limit_kb)); then limit_kb=$((value / 1024)); fi
  done
  ((jobs <= limit_kb / 1500000)) || jobs=$((limit_kb / 1500000))
  ((jobs >= 1)) || jobs=1
  echo "$jobs"
}
