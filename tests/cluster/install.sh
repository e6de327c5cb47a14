#!/bin/sh
# Installs what these tests need beyond Rust, and leaves alone what is there already:
#   etcd           from the system's packages
#   kube-apiserver and kubectl, built from the Go module of Kubernetes that go.mod names, into target/cluster
# The first build takes some minutes; go keeps what it compiled. It uses sudo when it has to and is not root.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$here/../.." && pwd)/target/cluster

say() { printf 'cluster: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else fail "this needs root and there is no sudo: $*"
    fi
}

missing=
have etcd || missing="$missing etcd-server"
have go || missing="$missing golang-go"
if [ -n "$missing" ]; then
    have apt-get || fail "please install:$missing (there is no apt-get here to do it with)"
    say "installing$missing"
    as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
    # The tests start one of their own; that of the system would only hold the port.
    if have systemctl; then as_root systemctl disable --now etcd 2>/dev/null || true; fi
fi

version=$(cd "$here" && go list -m k8s.io/kubernetes)
if [ "$(cat "$target/installed" 2>/dev/null)" != "$version" ]; then
    say "building kube-apiserver and kubectl $version"
    mkdir -p "$target"
    for program in kube-apiserver kubectl; do
        (cd "$here" && go build -o "$target/$program" -ldflags='-s -w' "k8s.io/kubernetes/cmd/$program")
    done
    echo "$version" >"$target/installed"
fi
say "everything is there"
