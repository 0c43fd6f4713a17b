#!/usr/bin/env bash
# Takes a picture of a run's report: screenshot.sh RUN_DIR OUT.png [WIDTH] [HEIGHT] [light|dark]
set -euo pipefail
if [[ $# -lt 2 ]]; then
  echo "usage: $0 RUN_DIR OUT.png [WIDTH] [HEIGHT] [light|dark]" >&2
  exit 2
fi
page=$(realpath "$1/report.html")
out=$(realpath -m "$2")
scheme=1
if [[ ${5:-light} == dark ]]; then scheme=0; fi
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$profile" \
  --window-size="${3:-1440},${4:-1400}" --blink-settings=preferredColorScheme=$scheme \
  --screenshot="$out" "file://$page" 2>/dev/null
