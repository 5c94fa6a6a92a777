# The commands of a day. `make help` lists them: what stands behind ## is the line it shows.
# ARGS is passed on: make run ARGS="--port 9000", make test ARGS=isolation

ARGS =
DATA = .dealgraph

# Where rustup puts cargo, for shells that were not told.
export PATH := $(PATH):$(HOME)/.cargo/bin

# The server, with the features of libraries that the whole workspace asks for: the load tests find them built.
SERVER = cargo build --release --locked --workspace --bin dealgraph

.PHONY: run help test test-pooled bench bench-live bench-peers bench-sizes soak chaos rolling fuzz check fmt clippy deny sbom helm observe \
	packaging clean-data

# Runs Dealgraph with a Postgres and a Redis of its own, after installing what is missing. The shell gives
# its place to dealgraph, so that Ctrl-C and signals reach it.
run: ## a Postgres and a Redis of its own, the demo tenants, the server and the explorer
	@sh .ci/bootstrap run
	$(SERVER)
	@exec "$${CARGO_TARGET_DIR:-target}/release/dealgraph" dev $(ARGS)

# Lists the commands.
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

# Runs all tests. They need nothing running.
test: ## all tests; nothing has to run for them
	@sh .ci/bootstrap test
	cargo test --locked -p dealgraph -p dealgraph-derive --lib --test it $(ARGS)

# Runs them with a PgBouncer in transaction mode, which has six connections for each login, between the product and Postgres.
test-pooled: ## all tests through a PgBouncer in transaction mode, which is fetched
	@sh .ci/bootstrap test
	bouncer=$$(sh .ci/pgbouncer "$${CARGO_TARGET_DIR:-target}/pgbouncer") && \
	DEALGRAPH_TEST_PGBOUNCER=$$bouncer cargo test --locked -p dealgraph -p dealgraph-derive --lib --test it $(ARGS)

# Measures requests per second, and the same statements by pgbench beside them.
bench: ## requests per second, beside pgbench with the same statements
	@sh .ci/bootstrap run
	cargo build --release --locked --workspace
	@exec "$${CARGO_TARGET_DIR:-target}/release/dealgraph-loadtests" $(ARGS)

# Kills servers, Redis and Postgres at random under load for five minutes, and holds what everybody saw against the log.
# A shorter one, or one again: make soak ARGS="--seconds 20 --seed 7"
soak: ## kills servers, Redis and Postgres under load, and checks what everybody saw
	@sh .ci/bootstrap run
	cargo build --release --locked --workspace
	@exec "$${CARGO_TARGET_DIR:-target}/release/dealgraph-loadtests" soak $(ARGS)

# The same for a minute with everything else that machines, disks and networks do: make chaos ARGS="--seconds 300 --seed 7"
chaos: ## all that can happen to servers, Redis and Postgres, under load
	@sh .ci/bootstrap chaos
	cargo build --release --locked --workspace
	@exec "$${CARGO_TARGET_DIR:-target}/release/dealgraph-loadtests" chaos $(ARGS)

# Replaces two servers in turns behind HAProxy for a minute, with 2,000 sockets and writers, none of whom is to notice:
# make rolling ARGS="--sockets 5000 --seconds 300"
rolling: ## servers replaced in turns behind HAProxy under load and 2,000 sockets
	@sh .ci/bootstrap chaos
	cargo build --release --locked --workspace
	@exec "$${CARGO_TARGET_DIR:-target}/release/dealgraph-loadtests" rolling $(ARGS)

# Sends what schemathesis makes of the schema, as every role, to a server of its own, and fails over a fault of the server or
# anything of another tenant. Needs Python 3.11. Takes some three minutes: make fuzz ARGS="--cases 20000 --seed 7"
fuzz: ## generated requests as every role; needs Python 3.11
	@sh .ci/bootstrap run
	$(SERVER)
	@python3 -m venv "$${CARGO_TARGET_DIR:-target}/fuzz"
	@"$${CARGO_TARGET_DIR:-target}/fuzz/bin/pip" install --quiet --requirement loadtests/fuzz/requirements.txt
	@exec "$${CARGO_TARGET_DIR:-target}/fuzz/bin/python" -B loadtests/fuzz \
		"$${CARGO_TARGET_DIR:-target}/release/dealgraph" $(ARGS)

# Measures subscriptions with ten thousand sockets, beside a bare server that sends the same bytes to as many. Takes about
# four minutes after the first time.
bench-live: ## subscriptions over ten thousand sockets
	@sh .ci/bootstrap run
	cargo build --release --locked --workspace
	@exec "$${CARGO_TARGET_DIR:-target}/release/dealgraph-loadtests" live $(ARGS)

# Measures Dealgraph beside PostGraphile on the same tables and policies, and pgbench with the same statements, in turns.
# Needs npm. Takes some eight minutes after the first time.
bench-peers: ## requests per second, beside PostGraphile and pgbench; needs npm
	@sh .ci/bootstrap test
	cargo build --release --locked --workspace
	@exec "$${CARGO_TARGET_DIR:-target}/release/dealgraph-loadtests" peers $(ARGS)

# Measures pages of a tenant of 10,000 deals and of one of a million, in turns. Takes some ten minutes the first time, for the
# data, and two after it; another size: make bench-sizes ARGS="--deals 3000000"
bench-sizes: ## pages of a tenant of a million deals beside those of a small one
	@sh .ci/bootstrap run
	cargo build --release --locked --workspace
	@exec "$${CARGO_TARGET_DIR:-target}/release/dealgraph-loadtests" sizes $(ARGS)

# What CI checks before the tests.
check: fmt clippy deny ## what CI checks before the tests: fmt, clippy, deny

fmt: ## the format of the sources
	cargo fmt --all --check

clippy: ## lints
	CLIPPY_CONF_DIR="$(CURDIR)/.ci" cargo clippy --workspace --all-targets --locked -- -D warnings

deny: ## licences and sources of dependencies, and known vulnerabilities where it can ask
	@sh .ci/deny

sbom: ## what the executable is made of, as CycloneDX, into target/
	@sh .ci/sbom

# Lints the chart and holds what Helm 3 and 4 make of it against schemas and snapshots; no cluster is needed. The first run
# downloads 95 MB. Snapshots are written anew by UPDATE=1 make helm.
helm: ## the Helm chart: lints, schemas, snapshots; needs Python 3.11
	@helm/test

# Holds alerts and dashboard against their tests and pages and, given a server, against what it tells a real Prometheus:
# DEALGRAPH=target/debug/dealgraph make observe. The first run downloads Debian's package of Prometheus (19 MB).
observe: ## the alerts and the dashboard, with a real Prometheus; DEALGRAPH names the server
	@helm/observe

# Lints Dockerfile, compose.yaml and the workflows, and holds them against schemas and the product; no Docker is needed.
packaging: ## the image, compose.yaml and the workflows: lints, schemas; needs Python 3.11
	@python3 -m venv "$${CARGO_TARGET_DIR:-target}/packaging"
	@"$${CARGO_TARGET_DIR:-target}/packaging/bin/pip" install --quiet --disable-pip-version-check \
		--requirement .ci/packaging/requirements.txt
	@exec "$${CARGO_TARGET_DIR:-target}/packaging/bin/python" -B .ci/packaging

# Removes the data of `make run`.
clean-data: ## removes the data of `make run`
	@if [ ! -e $(DATA)/.dealgraph-data ]; then echo "$(DATA) holds no data of dealgraph"; exit; fi; \
	if command -v flock >/dev/null && ! flock -n $(DATA)/lock true; then \
		echo "$(DATA) is in use: stop dealgraph first" >&2; exit 1; \
	fi; \
	if [ -f $(DATA)/elsewhere ]; then rm -rf -- "$$(cat $(DATA)/elsewhere)"; fi; \
	rm -rf $(DATA) && echo "$(DATA) is removed"
