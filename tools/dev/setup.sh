# System packages, by distribution and stage. Sourced by ./dev.

# Distribution as "debian-12"; empty pieces where /etc/os-release does not say.
distribution() {
  # shellcheck source=/dev/null
  (source /etc/os-release 2>/dev/null && echo "${ID:-unknown}-${VERSION_ID:-}") || echo unknown-
}

# packages STAGE: the packages of that stage and of those before it.
packages() {
  local boost=1.83
  if [[ $(distribution) == debian-12 ]]; then boost=1.81; fi
  local build=(g++ cmake ninja-build ccache git pkg-config ca-certificates python3-venv "libboost$boost-dev"
    "libboost-json$boost-dev" libfmt-dev libcli11-dev libtomlplusplus-dev libedit-dev
    libssl-dev libsqlite3-dev prometheus-cpp-dev libseccomp-dev libvips-dev)
  local test=(libgtest-dev libgmock-dev libbenchmark-dev)
  local full=(clang-19 clang-tidy-19 clang-format-19 llvm-19 libclang-rt-19-dev shellcheck)
  # Proxies that the gate runs before carat serve: Debian starts their services, so they are installed only where
  # nothing starts services (containers, CI).
  [[ -d /run/systemd/system ]] || full+=(nginx-light haproxy)
  case $1 in
    build) echo "${build[@]}" ;;
    test) echo "${build[@]}" "${test[@]}" ;;
    full) echo "${build[@]}" "${test[@]}" "${full[@]}" ;;
    *) die "unknown stage: $1 (build, test or full)" ;;
  esac
}

# Those of the given packages that are not installed.
missing_packages() {
  local installed package
  installed=" $(dpkg-query -W -f='${db:Status-Status}:${Package} ' "$@" 2>/dev/null || true)"
  for package in "$@"; do
    [[ $installed == *" installed:$package "* ]] || echo "$package"
  done
}

# setup STAGE: installs what is missing, and calls apt only then; then the source that no distribution has.
setup() {
  setup_packages "$1" && ensure_xgrammar
}

setup_packages() {
  local wanted missing
  wanted=$(packages "$1")
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "no apt here: install the equivalents of these Debian packages yourself: $wanted"
    return
  fi
  # shellcheck disable=SC2086  # a list of package names
  mapfile -t missing < <(missing_packages $wanted)
  ((${#missing[@]})) || return 0
  if offline; then die "CARAT_OFFLINE is set and these packages are missing: ${missing[*]}"; fi
  case $(distribution) in
    debian-12 | debian-13 | ubuntu-24.04) ;;
    *) say "Carat is tested on Debian 12 and 13; trying their package names on $(distribution)" ;;
  esac
  case $1 in
    full) need_disk /usr 2000 "installing packages" ;;
    *) need_disk /usr 900 "installing packages" ;;
  esac
  install_packages "${missing[@]}"
}

# Runs apt-get as root without questions. Held locks are waited for; nothing of the user's is ever removed.
apt_get() {
  local environment=(DEBIAN_FRONTEND=noninteractive LC_ALL=C) name
  for name in http_proxy https_proxy no_proxy; do
    if [[ -n ${!name:-} ]]; then environment+=("$name=${!name}"); fi
  done
  "${as_root[@]}" env "${environment[@]}" apt-get -q -o DPkg::Lock::Timeout=900 "$@"
}

# The list lock has no time-out of its own in apt: other failures end at once, this one is tried again.
update_package_lists() {
  local log attempt
  make_temporary_file log
  for ((attempt = 0; attempt < 180; attempt++)); do
    if apt_get update >"$log" 2>&1; then return 0; fi
    grep -q 'Could not get lock' "$log" || break
    if ((attempt == 0)); then say "another program is using apt; waiting for it"; fi
    sleep 5
  done
  cat "$log" >&2
  die "the package lists could not be fetched (see above): check the network and apt's sources"
}

install_packages() {
  local line="apt-get update && apt-get install --no-install-recommends -y $*"
  as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null || { ! [[ -t 2 ]] && ! sudo -n true 2>/dev/null; }; then
      say "some system packages are missing, and installing them takes root. Run this as root, then try again:"
      printf '%s\n' "$line"
      exit 1
    fi
    as_root=(sudo)
  fi
  say "installing $# packages: $*"
  if [[ -n $(dpkg --audit 2>/dev/null) ]]; then
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C dpkg --configure -a >&2
  fi
  update_package_lists
  if ! apt_get install --no-install-recommends --no-remove -y -o Dpkg::Use-Pty=0 "$@" >&2; then
    die "apt could not install them (see above). As root: $line"
  fi
}
