#!/bin/sh
# Installs what these tests need beyond Rust, and leaves alone what is there already:
#   redis-server (also runs as sentinel), redis-cli, haproxy, libfaketime, and promtool, which Debian has in prometheus.
# Run it as often as you like. It uses sudo when it has to and is not root.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
part=replicas
. "$here/../packages.sh"

missing=
have redis-server || missing="$missing redis-server"
have haproxy || [ -x /usr/sbin/haproxy ] || missing="$missing haproxy"
have faketime || missing="$missing faketime"
have promtool || missing="$missing prometheus"
install_packages "$missing" redis-server haproxy prometheus
say "everything is there"
