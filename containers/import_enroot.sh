#!/usr/bin/env bash
# Makes an enroot image (.sqsh) of a container image, for the --container-image of a Slurm job.
set -euo pipefail

usage() {
  cat << 'TEXT'
usage: containers/import_enroot.sh [--force] [--arch ARCH] IMAGE OUT.sqsh

IMAGE   dockerd://prism-train:latest          from this machine's Docker daemon
        podman://prism-train:latest           from this user's podman
        docker://nvcr.io/nvidia/nemo:25.11    from a registry
OUT     the file to write, on a file system that all nodes see; it has its name only when it is whole
--force replaces OUT
--arch  for another architecture than this machine's, such as aarch64

Credentials of registries are enroot's: $ENROOT_CONFIG_PATH/.credentials (nvcr.io: login $oauthtoken).
Unpacked layers go to $ENROOT_TEMP_PATH, /tmp by default: name a folder with room for several times the image.
TEXT
}

fail() { # code, place, what and remedy
  echo "error: $2: $3" >&2
  exit "$1"
}

force=
arch=()
while [[ ${1-} == -* ]]; do
  case "$1" in
    --force) force=yes ;;
    --arch)
      [[ -n ${2-} ]] || fail 2 --arch "no architecture. Remedy: --arch aarch64"
      arch=(--arch "$2")
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) fail 2 "$1" "no such option. Remedy: --help lists them" ;;
  esac
  shift
done
if [[ $# -ne 2 ]]; then
  usage >&2
  exit 2
fi
image=$1
out=$2

# enroot parts a registry from the image by #, where everybody else has a slash.
case "$image" in
  dockerd://?* | podman://?*) ;;
  docker://*'#'*) ;;
  docker://?*/?*)
    name=${image#docker://}
    host=${name%%/*}
    if [[ $host == *.* || $host == *:* || $host == localhost ]]; then
      image="docker://$host#${name#*/}"
    fi
    ;;
  docker://?*) ;;
  *) fail 2 "$image" "not an address of an image. Remedy: begin it with dockerd://, podman:// or docker://" ;;
esac

folder=$(dirname -- "$out")
[[ $out == *.sqsh ]] || fail 2 "$out" "enroot knows images by their ending. Remedy: end it with .sqsh"
[[ -d $folder ]] || fail 2 "$folder" "no such folder. Remedy: make it"
[[ -w $folder ]] || fail 2 "$folder" "can't be written to. Remedy: name another"
[[ ! -e $out || -n $force ]] || fail 2 "$out" "is there already. Remedy: --force replaces it"
for tool in enroot mksquashfs; do
  command -v "$tool" > /dev/null || fail 2 "$tool" "isn't installed. Remedy: run this on a node that has enroot"
done
if [[ $image == dockerd://* ]]; then
  command -v docker > /dev/null || fail 2 docker "isn't installed. Remedy: push the image to a registry and use docker://"
  docker image inspect "${image#dockerd://}" > /dev/null 2>&1 \
    || fail 2 "$image" "this machine's Docker has no such image. Remedy: build it (make images)"
fi

# enroot doesn't replace files, and a job that starts meanwhile must not see half of one.
part="$folder/.$(basename -- "$out" .sqsh).$$.sqsh"
trap 'rm -f -- "$part"' EXIT
enroot import "${arch[@]}" --output "$part" -- "$image" \
  || fail 1 "$image" "enroot couldn't import it. Remedy: see above; ENROOT_TEMP_PATH names a folder with more room"
[[ -s $part ]] || fail 1 "$image" "enroot left no image. Remedy: run enroot import by hand to see why"
mv -- "$part" "$out"
echo "made: $out ($(du -h -- "$out" | cut -f 1))"
