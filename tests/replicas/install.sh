#!/bin/sh
# Installs what these tests need beyond Rust, and leaves alone what is there already:
#   redis-server (also runs as sentinel), redis-cli, haproxy, libfaketime, and promtool, which Debian has in prometheus.
# Run it as often as you like. It uses sudo when it has to and is not root.
set -eu

say() { printf 'replicas: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else fail "this needs root and there is no sudo: $*"
    fi
}

missing=
have redis-server || missing="$missing redis-server"
have haproxy || [ -x /usr/sbin/haproxy ] || missing="$missing haproxy"
have faketime || missing="$missing faketime"
have promtool || missing="$missing prometheus"
if [ -n "$missing" ]; then
    have apt-get || fail "please install:$missing (there is no apt-get here to do it with)"
    say "installing$missing"
    as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
    # The tests start servers of their own; those of the system would only hold ports.
    for service in redis-server haproxy prometheus prometheus-node-exporter; do
        if have systemctl; then as_root systemctl disable --now "$service" 2>/dev/null || true; fi
    done
fi
say "everything is there"
