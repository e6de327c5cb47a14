#!/usr/bin/env bash
# Takes docs/login.png anew: the login page of the demo, as a browser draws it.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet
empty=$(mktemp -d)
address=127.0.0.1:8099
target/debug/uitsmijter --directory "$empty" --listen "$address" >"$empty/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$empty"' EXIT
until target/debug/uitsmijter healthcheck --listen "$address" 2>/dev/null; do
    kill -0 "$server" 2>/dev/null || { cat "$empty/log" >&2; exit 1; }
    sleep 0.2
done
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --lang=en --window-size=880,620 \
    --user-data-dir="$empty/profile" --screenshot=docs/login.png "http://$address/login" 2>/dev/null
ls -l docs/login.png
