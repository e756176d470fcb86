#!/usr/bin/env bash
# orphans.sh: no Rust file in the repository that no crate names. Such a file is not compiled, not tested, and rots.
#
# rustc writes the sources of each crate to target/**/*.d; what git knows and they do not is an orphan. The dep-info of an
# old build could hide one, so only files that were written since the check began count.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(cargo metadata --format-version 1 --no-deps --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A build directory of its own for our crates alone would compile all dependencies again. Touching our crate roots makes
# cargo look at them anew and write fresh dep-info.
touch "$work/start"
git ls-files -z '*/src/lib.rs' '*/src/main.rs' '*/build.rs' '*/tests/*.rs' '*/benches/*.rs' | xargs -0 -r touch
cargo check --locked --workspace --all-targets --quiet

root=$PWD
find "$target/debug/deps" "$target/debug/build" -name '*.d' -newer "$work/start" -exec cat {} + |
  tr ' ' '\n' | sed -n 's/:$//; /\.rs$/p' | sed "s|^$root/||" | sort -u >"$work/named"
# The fuzz targets are a workspace of their own.
git ls-files '*.rs' ':!fuzz/' | sort -u >"$work/known"

orphans=$(comm -23 "$work/known" "$work/named")
if [ -n "$orphans" ]; then
  echo "orphans: no crate names these files; declare them as modules or delete them:" >&2
  echo "$orphans" >&2
  exit 1
fi
echo "orphans: none among $(wc -l <"$work/known") files"
