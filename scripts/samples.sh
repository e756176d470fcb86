#!/usr/bin/env bash
# samples.sh: what the documents tell people to type works: config/samples/quickstart is free of problems.
set -euo pipefail
cd "$(dirname "$0")/.."

run() {
  cargo run --locked --quiet --bin mcwanctl -- "$@"
}

run check -f config/samples/quickstart
run render -f config/samples/quickstart --cluster cluster-2 >/dev/null
echo "samples: config/samples/quickstart is free of problems"
