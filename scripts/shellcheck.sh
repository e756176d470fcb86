#!/usr/bin/env bash
# Checks all shell scripts, where shellcheck is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v shellcheck >/dev/null; then
  echo "shellcheck: SKIPPED, it is not installed (apt-get install shellcheck)"
  exit 0
fi
mapfile -t scripts < <(git grep -lE '^#!.*(ba)?sh' -- ':!*.rs' ':!*.md')
shellcheck "${scripts[@]}"
echo "shellcheck: ${#scripts[@]} scripts are clean"
