#!/usr/bin/env bash
# kube.sh: the etcd and kube-apiserver that the end-to-end tests start. Prints their folder (its only line on stdout).
#
# KUBEBUILDER_ASSETS names a folder that has them; otherwise they are built, once, from their Go modules (e2e/kube/go.mod)
# into the user's cache. That takes four minutes on two cores, and Go: where there is none, Debian's fetches the one needed.
# With --built nothing is built: the status is 1 where they are missing.
set -euo pipefail
cd "$(dirname "$0")/.."

kubernetes=1.36.3
etcd=3.6.8
go=1.26.8 # fetched only where the machine's own is older than e2e/kube/go.mod asks for
programs=(etcd kube-apiserver)

say() { echo "kube: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# Whether all programs are in folder $1.
complete() {
  local program
  for program in "${programs[@]}"; do [ -x "$1/$program" ] || return 1; done
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  complete "$KUBEBUILDER_ASSETS" || fail "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks one of: ${programs[*]}"
  (cd "$KUBEBUILDER_ASSETS" && pwd)
  exit
fi
# The folder's name holds both versions: with new ones in this file, they are built anew.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mc-wan/kube-$kubernetes-etcd-$etcd
if complete "$cache"; then
  echo "$cache"
  exit
fi
[ "${1:-}" != --built ] || exit 1

# Go's own caches, some 3 GB, are no use afterwards; an interrupted build finds them again.
work=$cache/build
mkdir -p "$work"
export GOPATH=$work/gopath GOCACHE=$work/gocache GOFLAGS=-modcacherw CGO_ENABLED=0 GOWORK=off
unset GOMODCACHE GOROOT

# Debian's older Go: it has no GOTOOLCHAIN, but Go itself is a module like others, checked against the same checksum database.
fetch_go() {
  local machine module
  case $(uname -m) in
    x86_64) machine=linux-amd64 ;;
    aarch64) machine=linux-arm64 ;;
    *) fail "no Go for $(uname -m) is known here; install Go $go or newer" ;;
  esac
  module=golang.org/toolchain@v0.0.1-go$go.$machine
  if [ ! -d "$GOPATH/pkg/mod/$module" ]; then
    say "fetching Go $go (70 MB) as a module"
    (cd "$work" && go mod download "$module" >&2) || fail "Go $go could not be fetched; install Go $go or newer"
  fi
  # Modules carry no modes.
  chmod +x "$GOPATH/pkg/mod/$module"/bin/* "$GOPATH/pkg/mod/$module"/pkg/tool/*/*
  PATH=$GOPATH/pkg/mod/$module/bin:$PATH
}

if ! command -v go >/dev/null && [ -x /usr/local/go/bin/go ]; then
  PATH=$PATH:/usr/local/go/bin
fi
if ! command -v go >/dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    fail "etcd and kube-apiserver are built with Go, which is missing; run: sudo apt-get install -y golang-go"
  fi
  say "installing by apt-get: golang-go ca-certificates"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -qq -y --no-install-recommends golang-go ca-certificates >/dev/null; } >&2 ||
    fail "apt-get failed; install Go $go or newer"
fi
minor=$(go env GOVERSION | sed -nE 's/^go1\.([0-9]+).*/\1/p')
if [ "${minor:-0}" -lt 21 ]; then
  fetch_go
else
  # From 1.21 on, Go fetches the version that go.mod asks for by itself.
  export GOTOOLCHAIN=auto
fi

say "building etcd $etcd and kube-apiserver $kubernetes into $cache, once; this takes four minutes on two cores"
say "1/3 fetching sources (some 400 MB)"
(cd e2e/kube && go mod download >&2) || fail "the sources could not be fetched"

# build NUMBER PROGRAM PACKAGE [LINKER FLAGS]
build() {
  say "$1 compiling $2"
  # Go compiles without a word: say every minute that it goes on.
  (
    trap 'kill "$!"; exit' TERM
    while sleep 60 & wait "$!"; do say "$1 still compiling $2 ($((SECONDS / 60)) min so far)"; done
  ) >&2 &
  local clock=$! status=0
  (cd e2e/kube && go build -mod=readonly -trimpath -buildvcs=false -ldflags "-s -w ${4:-}" -o "$work/$2" "$3") >&2 || status=$?
  kill "$clock" 2>/dev/null || true
  [ "$status" = 0 ] || fail "$2 could not be compiled"
}
# Without these flags the version reads v0.0.0, and the server speaks of itself as older than any API.
IFS=. read -r major minor _ <<<"$kubernetes"
version=
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  version+=" -X $package.gitVersion=v$kubernetes -X $package.gitMajor=$major -X $package.gitMinor=$minor"
done
build 2/3 etcd go.etcd.io/etcd/server/v3
build 3/3 kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver "$version"

for program in "${programs[@]}"; do mv "$work/$program" "$cache/$program"; done
rm -rf "$work"
say "done"
echo "$cache"
