#!/usr/bin/env bash
# Builds the image as uitsmijter:latest with docker or podman, and fails where it is larger than it may be.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/image/facts.sh
engine=$(command -v docker || command -v podman) || { echo "image: please install docker or podman" >&2; exit 1; }
"$engine" build "${facts[@]}" --tag uitsmijter:latest .
fits "$("$engine" image inspect --format '{{.Size}}' uitsmijter:latest)"
