#!/usr/bin/env bash
# setup.sh build|test|lint: sees to it that what the build (or the tests, or the lints, too) needs is there.
#
# On Debian as root it installs what is missing, after saying so; otherwise it prints the command to run and ends with 1.
# Rust itself is assumed: rustup reads rust-toolchain.toml and fetches that toolchain by itself.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "setup: $*" >&2
  exit 1
}

# Whether a program for this machine can be compiled and linked.
compiles() {
  local out
  out=$(mktemp) || return 1
  echo '#include <stdlib.h>
int main(void) { return 0; }' | cc -x c -o "$out" - 2>/dev/null
  local status=$?
  rm -f "$out"
  return $status
}

if ! command -v cargo >/dev/null; then
  # rustup puts cargo here, but only new shells find it.
  if [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    fail "cargo is installed but not on PATH; run: . \"${CARGO_HOME:-$HOME/.cargo}/env\""
  fi
  fail "cargo is missing; install Rust by rustup: https://rustup.rs"
fi

# Debian packages. The build: ring, mimalloc and zstd compile C, zlib-ng uses cmake with make.
packages=()
compiles || packages+=(gcc libc6-dev)
command -v make >/dev/null || packages+=(make)
command -v cmake >/dev/null || packages+=(cmake)
# The tests and the lints go on without these.
optional=()
if [ "${1:-build}" = test ] && [ "$(id -u)" = 0 ]; then
  command -v ip >/dev/null || optional+=(iproute2)
fi
if [ "${1:-build}" = lint ]; then
  command -v shellcheck >/dev/null || optional+=(shellcheck)
fi
all=(${packages[@]+"${packages[@]}"} ${optional[@]+"${optional[@]}"})

if [ ${#all[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "setup: installing by apt-get: ${all[*]}"
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends "${all[@]}" >/dev/null; }; then
      [ ${#packages[@]} -eq 0 ] || fail "apt-get failed; needed are: ${packages[*]}"
      echo "setup: apt-get failed; going on without ${optional[*]}"
    fi
  elif [ ${#packages[@]} -gt 0 ]; then
    fail "missing: ${packages[*]}; run: sudo apt-get update && sudo apt-get install -y ${packages[*]}"
  else
    echo "setup: going on without ${optional[*]}; to have it: sudo apt-get install -y ${optional[*]}"
  fi
fi

# The first call lets rustup fetch the toolchain with its components, with its own progress output.
cargo --version >/dev/null || fail "cargo does not run; see the message above"
