#!/usr/bin/env bash
# Builds the earlier version that tests/upgrade runs beside this one, from the history, into target/earlier.
# Ends with 3 when the history is not there, as in a shallow clone.
set -euo pipefail
cd "$(dirname "$0")/../.."

# The last version that was released, or that others run: raise it with each release.
earlier=a5c8483

"$PWD/tests/replicas/install.sh"
if ! git cat-file -e "$earlier^{commit}" 2>/dev/null; then
    echo "upgrade: this copy of the repository does not have $earlier; git fetch --unshallow brings it" >&2
    exit 3
fi
[ "$(cat target/earlier/installed 2>/dev/null)" != "$earlier" ] || exit 0
echo "upgrade: building $earlier"
source=target/earlier/source
rm -rf "$source"
mkdir -p "$source"
git archive "$earlier" | tar -x -C "$source"
cargo build --quiet --locked --manifest-path "$source/Cargo.toml" --target-dir target/earlier
echo "$earlier" >target/earlier/installed
