#!/bin/sh
# Installs what these tests need beyond Rust, and leaves alone what is there already:
#   etcd           from the system's packages
#   kube-apiserver and kubectl, built from the Go module of Kubernetes that go.mod names, into target/cluster
# The first build takes some minutes; go keeps what it compiled. It uses sudo when it has to and is not root.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$here/../.." && pwd)/target/cluster

part=cluster
. "$here/../packages.sh"

missing=
have etcd || missing="$missing etcd-server"
have go || missing="$missing golang-go"
install_packages "$missing" etcd

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
