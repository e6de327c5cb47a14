#!/usr/bin/env bash
# Everything that `make test` does, phase by phase, with the time that each one took. The first failure ends it.
#
#   tests/run.sh            all phases
#   tests/run.sh lint unit  only these
#
# HISTORIES=10000 makes the property test of key rotation run in full, FULL=1 those with replicas, sieges and schemathesis (`make test-all`).
set -euo pipefail
cd "$(dirname "$0")/.."

# What has to hold on both stores: everything that goes through the store on its way. The other tests have a store of
# their own choice, or none.
both_stores=(client:: endpoint:: grant:: sso:: isolation:: attacks::)

began=$SECONDS
summary=

say() { printf '\n==> %s\n' "$*"; }

fail() {
    printf '\n==> FAILED in %s after %s s. The lines above say why.\n' "$phase" "$((SECONDS - began))" >&2
}

# Ends well, or shows what was printed and ends badly: for work whose output nobody reads when it goes well.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        cat "$log"
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

install() {
    command -v cargo >/dev/null || { echo "please install Rust first: https://rustup.rs" >&2; return 1; }
    if ! command -v cc >/dev/null || ! command -v openssl >/dev/null; then
        local root=()
        [ "$(id -u)" -eq 0 ] || root=(sudo)
        "${root[@]}" apt-get update -qq
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 \
            build-essential pkg-config openssl
    fi
    for component in rustfmt clippy; do
        cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
    done
    tests/interop/install.sh
    tests/replicas/install.sh
    tests/chart/install.sh
    tests/cluster/install.sh
}

lint() {
    cargo fmt --check
    cargo clippy --quiet --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" quietly cargo doc --no-deps --document-private-items
}

unit() {
    cargo test --lib --bins --test it
}

redis() {
    STORE=redis cargo test --test it -- "${both_stores[@]}"
}

interop() {
    cargo test --test interop
}

siege() {
    local profile=()
    # A flood of millions is one for a program that is as fast as the one that is shipped.
    [ -z "${FULL:-}" ] || profile=(--release)
    cargo test "${profile[@]}" --test siege -- --nocapture --test-threads 1
}

replicas() {
    cargo test --test replicas
}

upgrade() {
    local missing=0
    tests/upgrade/install.sh || missing=$?
    # A developer may do without; where every change is judged, a proof that was left out is none.
    if [ "$missing" -eq 3 ] && [ -z "${CI:-}" ]; then
        summary+=" upgrade-NOT-RUN"
        return 0
    fi
    [ "$missing" -eq 0 ]
    cargo test --test upgrade -- --nocapture
}

chart() {
    tests/chart/run.sh
}

cluster() {
    cargo test --test cluster
}

features() {
    local feature
    for feature in embedded redis kubernetes s3 telemetry; do
        echo "only $feature"
        quietly cargo check --no-default-features --features "$feature"
    done
}

run() {
    phase=$1
    local start=$SECONDS took
    say "$phase"
    "$phase"
    took=$((SECONDS - start))
    summary+=" $phase ${took}s"
    say "$phase: good, $took s"
}

phase=start
trap fail ERR
set -E
phases=("$@")
[ ${#phases[@]} -gt 0 ] || phases=(install lint unit redis siege interop replicas upgrade chart cluster features)
for phase in "${phases[@]}"; do
    run "$phase"
done
printf '\nAll good in %s s:%s\n' "$((SECONDS - began))" "$summary"
