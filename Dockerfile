# The server alone: `dealgraph serve` against a Postgres and, if there are several servers, a Redis.
#
#   docker build --tag dealgraph .
#   docker build --target sbom --output sbom .      what the executable is made of, as CycloneDX, into the folder sbom/
#
# Versions, paths and features are fixed, for the same sources to make the same executable on the same base images. For an
# image that is the same too, give the base images' digests (`@sha256:…`, of `docker buildx imagetools inspect`) and build with
# SOURCE_DATE_EPOCH and `--output type=image,rewrite-timestamp=true`.

FROM rust:1.95-slim-bookworm AS tools
# The one notes in the executable which crates it is made of, for scanners of images; the other writes that down as a file.
RUN cargo install --locked cargo-auditable@0.7.7 cargo-cyclonedx@0.5.9

FROM tools AS build
WORKDIR /build
COPY . .
# The features of libraries are those of the whole workspace, as in the Makefile: what was tested is what is shipped.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo auditable build --release --locked --workspace --bin dealgraph \
    && cp target/release/dealgraph /dealgraph
# Its time and its number follow from this, when it is given.
ARG SOURCE_DATE_EPOCH
RUN --mount=type=cache,target=/usr/local/cargo/registry CARGO_TARGET_DIR=/ .ci/sbom

FROM scratch AS sbom
COPY --from=build /dealgraph.cdx.json /

# Not distroless: health is asked by bash, in compose.yaml and by `helm test`, since the image has no HTTP client.
FROM debian:bookworm-slim
COPY --from=build /dealgraph /usr/local/bin/dealgraph
# Outside providers are checked against these, and without any the exporter of traces does not start.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# A number and not a name, so that an orchestrator can tell it is not root.
USER 10001:10001
ENV DEALGRAPH_LISTEN=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["dealgraph"]
CMD ["serve"]
