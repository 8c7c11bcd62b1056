# XGrammar's C++ core, as source: CMake builds it with Carat (cmake/XGrammar.cmake). Sourced by ./dev.

xgrammar_folder() { echo "${XDG_CACHE_HOME:-$HOME/.cache}/carat/xgrammar-0.2.8"; }

# Leaves the source at xgrammar_folder. A folder of that name is complete: it got its name last.
ensure_xgrammar() {
  local folder download archive name
  folder=$(xgrammar_folder) name=xgrammar-0.2.8
  [[ ! -d $folder ]] || return 0
  if offline; then
    die "CARAT_OFFLINE is set and XGrammar's source is missing; run ./dev setup build with a network once (it belongs in $folder)"
  fi
  lock "$(dirname "$folder")/.xgrammar.lock" 7 "another ./dev is fetching XGrammar's source"
  if [[ -d $folder ]]; then return 0; fi
  need_disk "$(dirname "$folder")" 100 "fetching XGrammar's source"
  rm -rf "$(dirname "$folder")"/.xgrammar-fetch.*  # left by a run that was killed
  say "fetching XGrammar's source (2 MB, once)"
  download=$(mktemp -d "$(dirname "$folder")/.xgrammar-fetch.XXXXXX")
  temporary_paths+=("$download")
  ensure_python
  # pip's own settings decide where packages come from; the hash decides what they are.
  if ! .cache/python/bin/pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --requirement tools/xgrammar/requirements.txt --dest "$download" >&2; then
    die "XGrammar's source could not be downloaded (see above)"
  fi
  archive=$(echo "$download"/xgrammar-*.tar.gz)
  # What is compiled, and its licences.
  tar -xzf "$archive" -C "$download" --no-same-owner --wildcards "$name"/{LICENSE,NOTICE,'cpp/*','include/*'} \
    "$name"/3rdparty/{'picojson/*',dlpack/LICENSE,'dlpack/include/*'} || die "XGrammar's source could not be unpacked"
  mv "$download/$name" "$folder"
  rm -rf "$download"
  exec 7>&-
  say "XGrammar's source is in $folder"
}
