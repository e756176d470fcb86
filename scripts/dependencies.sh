#!/usr/bin/env bash
# dependencies.sh: the layers stay what ARCHITECTURE.md says, as seen in the dependency tree.
set -euo pipefail
cd "$(dirname "$0")/.."

bad=0

# Names of all packages that a crate links, one a line.
linked() {
  cargo tree --locked --edges normal --package "$1" --prefix none --format '{p}' | awk '{ print $1 }' | sort -u
}

# without CRATE NAME…: the crate links none of these (a trailing * takes any rest).
without() {
  local crate=$1 name found
  shift
  for name in "$@"; do
    found=$(linked "$crate" | grep -x "${name/\*/.*}" || true)
    if [ -n "$found" ]; then
      echo "dependencies: $crate must not depend on ${found//$'\n'/, }; see: cargo tree -p $crate -i ${found%%$'\n'*}" >&2
      bad=1
    fi
  done
}

# single NAME…: one version at most of each in the whole tree, tests included.
single() {
  local name versions
  for name in "$@"; do
    versions=$(grep -A 1 -x "name = \"$name\"" Cargo.lock | sed -n 's/^version = "\(.*\)"/\1/p')
    if [ "$(wc -w <<<"$versions")" -gt 1 ]; then
      echo "dependencies: several versions of $name: ${versions//$'\n'/, }; see: cargo tree --duplicates" >&2
      bad=1
    fi
  done
}

without mcwan-routing tokio 'kube*' k8s-openapi 'pingora*' hyper
without mcwan-gateway-api tokio kube-client kube-runtime hyper 'pingora*'
without mcwan-k8s tokio kube-client kube-runtime hyper 'pingora*'
without mcwan-telemetry 'kube*' k8s-openapi 'pingora*' mcwan-k8s mcwan-routing
without mcwan-watch "pingora*"
without mcwan-gateway mcwan-lab mcwan-controller
without mcwan-controller "pingora*" mcwan-gateway mcwan-lab
without mcwan-lab 'kube*' 'pingora*' mcwan-k8s mcwan-routing
without mcwanctl "pingora*" mcwan-gateway mcwan-controller
single kube kube-core k8s-openapi rustls hyper h2 http tokio
for crate in mcwan-gateway mcwan-controller mcwanctl; do
  without "$crate" openssl openssl-sys native-tls aws-lc-rs aws-lc-sys
done

[ $bad = 0 ] || exit 1
echo "dependencies: the layers hold"
