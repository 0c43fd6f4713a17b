#!/usr/bin/env bash
# Resolves the lock files of the cpu and train images anew: all that isn't compiled in them, for x86-64 Linux.
set -euo pipefail
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9 # reads the markers of another Python than its own, which pip doesn't
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet "uv==$UV_VERSION"
resolve() { # Python's version, extras, further requirements
  local extras=() name
  for name in $2; do extras+=(--extra "$name"); done
  "$scratch/venv/bin/uv" --no-config pip compile --quiet --no-header --no-annotate --python-version "$1" \
    --python-platform x86_64-manylinux_2_28 "${extras[@]}" pyproject.toml "${@:3}"
}

resolve 3.12 "engine data serve tracking" containers/train/requirements.in > "$scratch/train"
# torch comes from an index of CPU builds, so that nothing of CUDA is needed.
resolve 3.11 "engine data serve" | grep -Ev '^(torch|triton|cuda-|nvidia-)' > "$scratch/cpu"
for image in train cpu; do
  mv -- "$scratch/$image" "containers/$image/requirements.lock"
  chmod 644 "containers/$image/requirements.lock"
done
