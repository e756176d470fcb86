#!/usr/bin/env bash
# Sets up the peers and runs the comparison with the gateway that was built with --release. Arguments go to compare.py.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
gateway=${CARGO_TARGET_DIR:-$root/target}/release/mcwan-gateway
[ -x "$gateway" ] || { echo "$gateway is missing: cargo build --release -p mcwan-gateway" >&2; exit 1; }

peers=$("$here/setup.sh")
envoy=$(sed -n 's/^envoy //p' <<<"$peers")
oha=$(sed -n 's/^oha //p' <<<"$peers")
PYTHONDONTWRITEBYTECODE=1 exec python3 "$here/compare.py" --gateway "$gateway" --envoy "$envoy" --oha "$oha" "$@"
