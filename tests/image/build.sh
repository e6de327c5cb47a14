#!/usr/bin/env bash
# The last stage of the Dockerfile without an engine and without a registry: buildah builds it on a base that is put
# together from the Debian packages that distroless/static consists of. Then: what it is labelled, who it runs as, how large it
# is, that two builds are the same, and that it serves on a read-only root. Needs root, for chroot and mounts.
#
#   tests/image/build.sh                             builds the release first
#   tests/image/build.sh target/debug/uitsmijter     with this program and its libraries; its size is printed, and not judged
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/image/facts.sh
part=image
. tests/packages.sh
missing=
have buildah || missing=" buildah"
have curl || missing+=" curl"
install_packages "$missing"

host=$(rustc -vV | sed -n 's/^host: //p')
release=target/$host/release/uitsmijter
program=${1:-$release}
packages=(base-files netbase tzdata ca-certificates)
if [ "$program" = "$release" ]; then
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --quiet --target "$host"
    ! readelf --dynamic "$program" | grep -q NEEDED || { echo "image: the release needs libraries, which are not there" >&2; exit 1; }
else
    packages+=(libc6)
fi
work=$PWD/target/image
store=(--root "$work/store" --runroot "$work/run" --storage-driver vfs)
container=
clean() {
    [ -z "${server:-}" ] || kill "$server" 2>/dev/null || true
    if mountpoint -q "$work/root"; then umount -R "$work/root"; fi
    [ -z "$container" ] || buildah "${store[@]}" rm "$container" >/dev/null
}
trap clean EXIT
rm -rf "$work/base" "$work/context" "$work/root"
mkdir -p "$work/packages" "$work/base" "$work/context/image" "$work/root"

# The base: files of packages, without what nobody reads in there.
for package in "${packages[@]}"; do
    ls "$work/packages/${package}"_*.deb >/dev/null 2>&1 || (cd "$work/packages" && apt-get download -qq "$package" 2>/dev/null)
    dpkg-deb --extract "$work/packages/${package}"_*.deb "$work/base"
done
(cd "$work/base" && rm -rf usr/share/{man,locale,info,lintian,bug,base-files} usr/share/doc/*/[!c]* usr/sbin usr/bin bin sbin)
mkdir -p "$work/base/etc/ssl/certs" "$work/base/home/nonroot"
cat "$work/base"/usr/share/ca-certificates/mozilla/*.crt >"$work/base/etc/ssl/certs/ca-certificates.crt"
rm -r "$work/base/usr/share/ca-certificates"
echo "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin" >"$work/base/etc/passwd"
echo "nonroot:x:65532:" >"$work/base/etc/group"

# What the Dockerfile's first stage leaves in /image.
install -D "$program" "$work/context/image/uitsmijter"
strip "$work/context/image/uitsmijter"
if [ "$program" != "$release" ]; then
    install -D "$(ldd "$program" | sed -n 's/.*libgcc_s.* => \([^ ]*\) .*/\1/p')" "$work/base/usr/lib/libgcc_s.so.1"
fi
mkdir -p "$work/context"/image/etc/uitsmijter/Resources/Configurations/{Tenants,Clients} "$work/context/image/var/lib/uitsmijter"
{
    echo "FROM scratch"
    echo "COPY base /"
    sed -n '/^FROM gcr.io/,$p' Dockerfile | sed -e '1d' -e 's#COPY --from=build#COPY#' -e 's# /image/# image/#'
} >"$work/context/Dockerfile"
mv "$work/base" "$work/context/base"

# OCI: the format of Docker has a name made by chance in it. It knows no HEALTHCHECK, which the chart does not use.
build() { # tag
    buildah "${store[@]}" bud --quiet --no-cache --isolation chroot --format oci \
        --timestamp "$(git log -1 --format=%ct)" "${facts[@]}" --tag "$1" "$work/context" 2>"$work/log" | tail -n 1
}
first=$(build first)
second=$(build second)
[ "$first" = "$second" ] || fail "two builds are not the same: $first $second"

about=$(buildah "${store[@]}" inspect --type image first)
says() { # what, expected
    python3 -c 'import json, sys
found = json.load(sys.stdin)["OCIv1"]["config"]
for word in sys.argv[1].split("/"):
    found = found[word]
found = found[0] if isinstance(found, list) else found
sys.exit(found != sys.argv[2] and f"image: {sys.argv[1]} is {found}, and not {sys.argv[2]}")' "$1" "$2" <<<"$about"
}
says User 65532:65532
says Entrypoint /uitsmijter
says Labels/org.opencontainers.image.licenses Apache-2.0
says Labels/org.opencontainers.image.revision "$(git rev-parse HEAD)"
says Labels/org.opencontainers.image.version "$("$program" --version | cut -d' ' -f2)"
says Labels/org.opencontainers.image.source "$(public "$origin")"

container=$(buildah "${store[@]}" from first)
mounted=$(buildah "${store[@]}" mount "$container")
[ -z "$(find "$mounted" -name '*sh' -path '*bin/*')" ] || fail "there is a shell"
bytes=$(find "$mounted" -type f -printf '%s\n' | awk '{ all += $1 } END { print all }')
if [ "$program" = "$release" ]; then
    fits "$bytes"
else
    say "$bytes bytes, of which $(stat -c %s "$mounted/uitsmijter") are a program that is no release"
fi

# As the chart runs it: nothing but this root, which cannot be written to, as nobody in particular.
mount --bind "$mounted" "$work/root"
mount -o remount,ro,bind "$work/root"
as_nonroot=(env -i PATH="$PATH" ENVIRONMENT=development LISTEN=127.0.0.1:18080 DIRECTORY=/etc/uitsmijter LOG_FORMAT=ndjson
    chroot --userspec=65532:65532 "$work/root" /uitsmijter)
"${as_nonroot[@]}" --version
"${as_nonroot[@]}" serve 2>"$work/log" &
server=$!
for attempt in $(seq 120); do
    if "${as_nonroot[@]}" healthcheck --ready >/dev/null 2>&1; then break; fi
    [ "$attempt" -lt 120 ] || { cat "$work/log"; fail "it does not serve"; }
    sleep 0.5
done
[ "$(stat -c %u "/proc/$server")" = 65532 ] || fail "it runs as $(stat -c %u "/proc/$server")"
curl -fsS http://127.0.0.1:18080/.well-known/openid-configuration >/dev/null
kill "$server"
wait "$server" || fail "it did not end well"
server=
say "good: labels, user, size, the same twice, and it serves on a read-only root"
