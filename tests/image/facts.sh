# What an image is told at its build, as `--build-arg`s; sourced.
limit=40000000
origin=$(git config --get remote.origin.url || echo unknown)
# Whoever clones with a password in the address does not publish it with the image.
public() { sed 's#//[^/@]*@#//#' <<<"$1"; }
facts=(
    --build-arg "VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
    --build-arg "REVISION=$(git rev-parse HEAD)"
    --build-arg "SOURCE=$(public "$origin")"
    --build-arg "SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)"
)

fits() { # bytes
    echo "image: $(($1 / 1000000)).$(($1 / 100000 % 10)) MB, at most $((limit / 1000000))"
    [ "$1" -lt "$limit" ] || { echo "image: larger than it may be" >&2; return 1; }
}
