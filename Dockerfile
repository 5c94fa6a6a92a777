# The server alone: `dealgraph serve` against a Postgres and, if there are several servers, a Redis.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked && cp target/release/dealgraph /dealgraph

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
