# What the install.sh of these tests have in common; sourced by them, which set `part` to their name before.

say() { printf '%s: %s\n' "$part" "$*"; }
fail() { say "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else fail "this needs root and there is no sudo: $*"
    fi
}

# install_packages "PACKAGES" SERVICE...: installs what is missing, if anything is, and stops the services that come
# along: the tests start servers of their own, and those of the system would only hold the ports.
install_packages() {
    missing=$1
    shift
    [ -n "$missing" ] || return 0
    have apt-get || fail "please install:$missing (there is no apt-get here to do it with)"
    say "installing$missing"
    as_root apt-get update -qq
    # Whoever else installs something at this moment is waited for.
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $missing
    for service in "$@"; do
        case "$missing" in *"$service"*) ;; *) continue ;; esac
        if have systemctl; then as_root systemctl disable --now "$service" 2>/dev/null || true; fi
    done
}
