# syntax=docker/dockerfile:1

# The program is linked statically with its C library, so that the final image needs none. Both base images are tags,
# which move: for a reproducible image, append their digests (`docker buildx imagetools inspect`).
FROM rust:1.95-bookworm AS build
WORKDIR /build
ENV CARGO_TERM_COLOR=never AWS_LC_SYS_USE_SYSTEM=0 RUSTFLAGS="-C target-feature=+crt-static"
# The target is explicit, because build scripts and proc macros cannot be linked statically.
RUN rustc -vV | sed -n 's/^host: //p' > /target

# Dependencies have their own layer, rebuilt only when Cargo.toml or Cargo.lock change.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
# jemalloc is built for a maximum page size, and ARM kernels use pages of up to 64 KiB.
RUN case "$(cat /target)" in aarch64*) echo 'JEMALLOC_SYS_WITH_LG_PAGE = "16"' >> .cargo/config.toml ;; esac
RUN mkdir -p src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
    && cargo build --release --locked --target "$(cat /target)" \
    && rm -r src

COPY assets assets
COPY src src
# The empty program above is newer than the source, so its files are touched to make cargo rebuild.
RUN touch src/main.rs src/lib.rs \
    && cargo build --release --locked --target "$(cat /target)" \
    && install -D "target/$(cat /target)/release/uitsmijter" /image/uitsmijter \
    && install -d /image/etc/uitsmijter/Resources/Configurations/Tenants \
    && install -d /image/etc/uitsmijter/Resources/Configurations/Clients \
    && install -d /image/var/lib/uitsmijter \
    && /image/uitsmijter --version
# Two builds of one commit have identical files, timestamps included: `make image` passes the commit's time.
ARG SOURCE_DATE_EPOCH=0
RUN find /image -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# Has the CA certificates that login scripts need for https, and a user; no shell, no packages, no libraries.
FROM gcr.io/distroless/static-debian12:nonroot
# Set by `make image`.
ARG VERSION=unknown REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="uitsmijter" \
      org.opencontainers.image.description="A standalone OAuth 2.0 and OpenID Connect authorization server" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE"
COPY --from=build /image/uitsmijter /uitsmijter
COPY --from=build /image/etc/uitsmijter /etc/uitsmijter
COPY --from=build --chown=65532:65532 /image/var/lib/uitsmijter /var/lib/uitsmijter
# STORE_PATH is not set: without a volume, the store would silently be lost with the container.
ENV ENVIRONMENT=production \
    DIRECTORY=/etc/uitsmijter \
    LOG_FORMAT=ndjson
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["/uitsmijter", "healthcheck"]
ENTRYPOINT ["/uitsmijter"]
