# Python packages of other people's clients, which the gate runs against carat serve. Sourced by ./dev.

# A private environment under .cache; its tests are skipped, visibly, where it cannot be had.
ensure_clients() {
  local requirements=tests/clients/requirements.txt
  if cmp --silent "$requirements" .cache/clients/installed.txt; then return 0; fi
  if offline; then
    say "CARAT_OFFLINE is set: the tests with other people's clients will be skipped"
    return 0
  fi
  rm -rf .cache/clients
  if /usr/bin/python3 -m venv .cache/clients >&2 &&
    .cache/clients/bin/pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
      --requirement "$requirements" >&2; then
    cp "$requirements" .cache/clients/installed.txt
  else
    rm -rf .cache/clients
    say "the clients could not be installed (see above): their tests will be skipped"
  fi
}
