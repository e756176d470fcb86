#!/usr/bin/env bash
# deny.sh: licences, banned and duplicate crates, sources (deny.toml).
#
# Uses the cargo-deny on PATH if it is the right version; builds it once into the user's cache otherwise. The advisories
# need a database from the Internet and change without us: run `cargo deny check advisories` by hand.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mc-wan/cargo-deny-$version
deny=$cache/bin/cargo-deny

if [ "$(cargo-deny --version 2>/dev/null || true)" = "cargo-deny $version" ]; then
  deny=cargo-deny
elif [ ! -x "$deny" ]; then
  echo "deny: building cargo-deny $version into $cache, once; this takes some minutes"
  cargo install --quiet --locked --root "$cache" --version "$version" cargo-deny
fi

"$deny" --locked --log-level warn check --hide-inclusion-graph bans licenses sources
