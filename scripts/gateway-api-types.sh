#!/usr/bin/env bash
# Regenerates shared/gateway-api/src/*.rs and config/crd/gateway-api/*.yaml from the official Gateway API release.
# Needs: go (to fetch the release through the module proxy) and kopium 0.24 (cargo install kopium@0.24.0 --locked).
set -euo pipefail
version=v1.7.0
kinds=(gatewayclasses gateways httproutes grpcroutes tlsroutes tcproutes udproutes listenersets backendtlspolicies referencegrants)
root=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
out=$root/shared/gateway-api/src
crds=$root/config/crd/gateway-api

command -v go >/dev/null || { echo "go is needed to fetch the Gateway API release; on Debian: apt-get install golang" >&2; exit 1; }
kopium=${KOPIUM:-$(command -v kopium || true)}
[ -n "$kopium" ] || { echo "kopium 0.24 is needed: cargo install kopium@0.24.0 --locked" >&2; exit 1; }

dir=$(cd "$(mktemp -d)" && GOFLAGS=-mod=mod GOTOOLCHAIN=go1.27.0 go mod download -json "sigs.k8s.io/gateway-api@$version" |
  sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
[ -d "$dir" ] || { echo "could not fetch gateway-api $version" >&2; exit 1; }

mkdir -p "$crds"
for kind in "${kinds[@]}"; do
  file=gateway.networking.k8s.io_$kind.yaml
  install -m 644 "$dir/config/crd/standard/$file" "$crds/$file"
  (cd "$crds" && "$kopium" -f "$file" --api-version v1 --schema=derived --derive=JsonSchema --derive=PartialEq) |
    rustfmt --edition 2024 --config-path "$root" > "$out/$kind.rs"
  echo "generated $kind from $version"
done
