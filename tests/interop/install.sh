#!/bin/sh
# Installs what the tests need beyond Rust, and leaves alone what is there already:
#   apt   redis-server, chromium, nginx, caddy, haproxy and faketime; node, npm, python3-venv and go when they are missing altogether
#   npm   node/ and browser/, as their lock files say
#   pip   python/requirements.txt, Traefik and Envoy among it, into target/interop/python
#   go    the modules of go/, and its programs into target/interop/go; oauth2-proxy, built from its module, into
#         target/interop/oauth2-proxy
# Run it as often as you like. It uses sudo when it has to and is not root.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$here/../.." && pwd)/target/interop

part=interop
. "$here/../packages.sh"

install_what_is_missing() {
    missing=
    have redis-server || missing="$missing redis-server"
    have chromium || missing="$missing chromium"
    have nginx || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
    have caddy || missing="$missing caddy"
    have haproxy || [ -x /usr/sbin/haproxy ] || missing="$missing haproxy"
    have faketime || missing="$missing faketime"
    have node || missing="$missing nodejs"
    have npm || missing="$missing npm"
    have go || missing="$missing golang-go"
    if ! have python3 || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then missing="$missing python3 python3-venv"; fi
    install_packages "$missing" redis-server nginx caddy haproxy
}

# The libraries say from which version on they work; an old one would fail later and less clearly.
check_versions() {
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
        fail "node $(node --version) is too old: 20.19 or newer is needed (nodejs.org)"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
        fail "$(python3 --version) is too old: 3.9 or newer is needed"
    # From 1.21 on, go fetches by itself the version that go.mod asks for.
    minor=$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge 21 ] || fail "$(go version) is too old: 1.21 or newer is needed (go.dev)"
}

install_node_modules() {
    # npm writes the first file last, so it is older than the lock file whenever something is left to do.
    [ "$here/$1/node_modules/.package-lock.json" -nt "$here/$1/package-lock.json" ] && return 0
    say "npm modules for $1"
    (cd "$here/$1" && npm ci --no-audit --no-fund --loglevel=error)
    touch "$here/$1/node_modules/.package-lock.json"
}

install_python_packages() {
    cmp -s "$here/python/requirements.txt" "$target/python/installed.txt" && return 0
    say "python packages"
    python3 -m venv --clear "$target/python"
    "$target/python/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/python/requirements.txt"
    cp "$here/python/requirements.txt" "$target/python/installed.txt"
}

build_go_programs() {
    # go build compares by itself and does nothing when nothing changed.
    (cd "$here/go" && go build -o "$target/go/verify" . && go build -o "$target/go/relying_party" ./relying_party)
}

# Half a gigabyte of sources for one program: they and what is compiled of them stay only until it is built.
build_oauth2_proxy() {
    built=$target/oauth2-proxy
    cmp -s "$here/oauth2-proxy/go.mod" "$built/installed.mod" && return 0
    say "oauth2-proxy, built from its module: this takes some minutes"
    mkdir -p "$built"
    (
        trap 'rm -rf "$built/building"' EXIT
        cd "$here/oauth2-proxy"
        export CGO_ENABLED=0 GOMODCACHE="$built/building/modules" GOCACHE="$built/building/compiled"
        go build -modcacherw -o "$built/oauth2-proxy" github.com/oauth2-proxy/oauth2-proxy/v7
    )
    cp "$here/oauth2-proxy/go.mod" "$built/installed.mod"
}

install_what_is_missing
check_versions
mkdir -p "$target"
install_node_modules node
install_node_modules browser
install_python_packages
build_go_programs
build_oauth2_proxy
say "everything is there"
