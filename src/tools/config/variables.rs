//! Every variable the server reads, in one table: parsing, the command line's help and docs/configuration.md follow it.

/// What all variables of the server begin with.
pub const PREFIX: &str = "DEALGRAPH_";

/// One variable of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its full name.
    pub name: &'static str,
    /// The value taken when it is unset or empty; an empty text when there is none. For limits it is what the
    /// server has built in.
    pub default: &'static str,
    /// What it decides, its unit and its choices.
    pub meaning: &'static str,
}

const fn variable(name: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        default,
        meaning,
    }
}

/// All variables, by section.
pub const VARIABLES: &[Variable] = &[
    variable(
        "DEALGRAPH_LISTEN",
        "127.0.0.1:8080",
        "address and port of the HTTP server",
    ),
    variable(
        "DEALGRAPH_METRICS_LISTEN",
        "",
        "address and port where operators find `/metrics` and `/health`, such as `0.0.0.0:9464`; without it nobody does. Never the public one",
    ),
    variable(
        "DEALGRAPH_DRAIN_WAIT_S",
        "5",
        "how long a server that is to stop goes on serving after `/health/ready` says so, for balancers to notice, in seconds",
    ),
    variable(
        "DEALGRAPH_JOB_SLOTS",
        "32",
        "how many jobs this server does at a time; with `0` none, so that others do them",
    ),
    variable(
        "DEALGRAPH_EXPLORER",
        "off",
        "`on` serves the API explorer at `/`",
    ),
    variable(
        "DEALGRAPH_INTROSPECTION",
        "on",
        "`off` hides the schema from people who are signed in; without a token it is always hidden",
    ),
    variable(
        "DEALGRAPH_SERVER_TIMING",
        "off",
        "who gets a `Server-Timing` header that says what the time of a request went to: `admins` of a tenant, with `on` everybody who is signed in, with `off` nobody",
    ),
    variable(
        "DEALGRAPH_TRUST_FORWARDED_FOR",
        "off",
        "how many proxies in front of the server add to `x-forwarded-for`; `off` takes the connection's own address",
    ),
    variable(
        "DEALGRAPH_ALLOWED_ORIGINS",
        "",
        "web addresses whose pages may open WebSockets, with commas between; those of the server itself and of `DEALGRAPH_APP_URL` always may",
    ),
    variable(
        "DEALGRAPH_CONNECTIONS",
        "10000",
        "most connections at a time, those that stay open among them",
    ),
    variable(
        "DEALGRAPH_CONNECTIONS_PER_ADDRESS",
        "1000",
        "most connections at a time from one address",
    ),
    variable(
        "DEALGRAPH_EVENT_DAYS",
        "7",
        "days that events are kept: for so long a subscription can resume",
    ),
    variable(
        "DEALGRAPH_DATABASE_URL",
        "",
        "Postgres as the login `dealgraph_app`; `serve`, `import` and `keys` need it",
    ),
    variable(
        "DEALGRAPH_SYSTEM_DATABASE_URL",
        "",
        "Postgres as the login `dealgraph_system`; `serve`, `import` and `keys` need it",
    ),
    variable(
        "DEALGRAPH_OWNER_DATABASE_URL",
        "",
        "Postgres as the owner of the tables; only `migrate` uses and needs it",
    ),
    variable(
        "DEALGRAPH_REPLICA_DATABASE_URL",
        "",
        "a streaming replica of it as the login `dealgraph_app`, for reads that may be somewhat old; without it all reads are of the primary",
    ),
    variable(
        "DEALGRAPH_POOL_SIZE",
        "auto",
        "connections for requests; `auto` is four for each processor of the machine, 16 to 64",
    ),
    variable(
        "DEALGRAPH_TENANT_CONNECTIONS",
        "auto",
        "connections of those that a tenant has at a time while other tenants are at work, half of them for one that never pauses; `auto` is an eighth of the pool, 2 at least",
    ),
    variable(
        "DEALGRAPH_SYSTEM_POOL_SIZE",
        "4",
        "connections for the server's own work",
    ),
    variable(
        "DEALGRAPH_ACQUIRE_TIMEOUT_MS",
        "2000",
        "longest wait for a free connection, in milliseconds",
    ),
    variable(
        "DEALGRAPH_STATEMENT_CACHE",
        "200",
        "prepared statements kept per connection; `0` behind a PgBouncer older than 1.21",
    ),
    variable(
        "DEALGRAPH_REDIS_URL",
        "",
        "Redis, `redis://` or `redis+unix://`; servers share through it what they announce, count and keep",
    ),
    variable(
        "DEALGRAPH_DOCUMENTS",
        "",
        "a file that lists GraphQL documents by ids that clients may send in their place: `{\"<id>\": \"<text>\"}`, or Apollo's manifest",
    ),
    variable(
        "DEALGRAPH_DOCUMENTS_ONLY",
        "off",
        "`on` runs nothing but the documents in `DEALGRAPH_DOCUMENTS`; tenants and keys can want that for themselves",
    ),
    variable(
        "DEALGRAPH_PLANS",
        "",
        "a file with the limits of the plans that tenants are on: `{\"<plan>\": {\"<limit>\": <number>}}`, see `docs/limits.md`",
    ),
    variable(
        "DEALGRAPH_CACHE_BYTES",
        "67108864",
        "bytes of answers that the process keeps to answer the same again while nothing changes; `0` keeps none",
    ),
    variable(
        "DEALGRAPH_CACHE_FROM_POINTS",
        "60",
        "what a query costs at least for its answer to be kept, in points",
    ),
    variable(
        "DEALGRAPH_AUTH_ISSUER",
        "dealgraph",
        "the `iss` that access tokens carry",
    ),
    variable(
        "DEALGRAPH_AUTH_AUDIENCE",
        "dealgraph",
        "the `aud` that access tokens carry",
    ),
    variable(
        "DEALGRAPH_ENCRYPTION_KEYS",
        "",
        "what seals secrets in the database: 32 random bytes in base64, or several with commas between; the first one seals, all of them open; `serve` and `keys` need it",
    ),
    variable(
        "DEALGRAPH_AUTH_HS256_SECRET",
        "",
        "shared secret of at least 32 bytes; HS256 tokens are accepted only when it is set",
    ),
    variable(
        "DEALGRAPH_AUTH_TOKEN_TTL_S",
        "900",
        "life of an access token, in seconds",
    ),
    variable(
        "DEALGRAPH_IDENTITY_FILE",
        "",
        "a JSON file with the outside providers that people sign in through and the issuers whose access tokens are taken; see docs/identity.md",
    ),
    variable(
        "DEALGRAPH_REGISTRATION",
        "on",
        "`off` keeps strangers from registering; then people come in by invitation only",
    ),
    variable(
        "DEALGRAPH_SESSION_TTL_S",
        "2592000",
        "life of a session, in seconds, however often it is refreshed",
    ),
    variable(
        "DEALGRAPH_MAIL_URL",
        "",
        "where mails go: `smtps://login:password@host`, `smtp://host?tls=required` or `file:///folder`; without it none is sent",
    ),
    variable(
        "DEALGRAPH_MAIL_FROM",
        "dealgraph@localhost",
        "the sender of mails",
    ),
    variable(
        "DEALGRAPH_APP_URL",
        "http://127.0.0.1:8080",
        "where people find the frontend; mailed links begin with it",
    ),
    variable(
        "DEALGRAPH_OUTBOUND_PROXY",
        "",
        "an HTTP proxy for requests to servers that tenants name, such as webhook receivers, which then resolves names and decides what may be reached: `http://smokescreen:4750`; without it the server asks them itself, at public addresses only",
    ),
    variable(
        "DEALGRAPH_OUTBOUND_NAME_SERVERS",
        "",
        "name servers for what tenants name, with commas between, such as `9.9.9.9` or `[2620:fe::fe]:53`; those of the machine when there are none. Not used with a proxy",
    ),
    variable(
        "DEALGRAPH_OUTBOUND_ALLOW_LOOPBACK",
        "off",
        "`on` lets tenants name servers on this very machine, also without encryption: for development only",
    ),
    variable(
        "DEALGRAPH_LIMIT_BODY_BYTES",
        "262144",
        "largest request body, in bytes",
    ),
    variable(
        "DEALGRAPH_LIMIT_DOCUMENT_BYTES",
        "16384",
        "largest GraphQL document, in bytes",
    ),
    variable(
        "DEALGRAPH_LIMIT_TOKENS",
        "2000",
        "most tokens in a document",
    ),
    variable("DEALGRAPH_LIMIT_DEPTH", "12", "deepest selection"),
    variable(
        "DEALGRAPH_LIMIT_ALIASES",
        "30",
        "most aliases in an operation",
    ),
    variable(
        "DEALGRAPH_LIMIT_ROOT_FIELDS",
        "20",
        "most top-level fields in an operation",
    ),
    variable(
        "DEALGRAPH_LIMIT_DIRECTIVES",
        "50",
        "most directives in an operation",
    ),
    variable(
        "DEALGRAPH_LIMIT_PAGE_ROWS",
        "100",
        "most rows of a page, 25 to 100",
    ),
    variable(
        "DEALGRAPH_LIMIT_NODES",
        "10000",
        "most records that one operation may ask for",
    ),
    variable(
        "DEALGRAPH_LIMIT_FILTER_CONDITIONS",
        "100",
        "most conditions in a filter",
    ),
    variable(
        "DEALGRAPH_LIMIT_FILTER_RELATIONS",
        "10",
        "most conditions on related records in a filter",
    ),
    variable(
        "DEALGRAPH_LIMIT_FILTER_RELATION_DEPTH",
        "3",
        "how deep related records may nest in a filter",
    ),
    variable(
        "DEALGRAPH_LIMIT_FILTER_DEPTH",
        "10",
        "how deep `and`, `or`, `not` and related records may nest in a filter",
    ),
    variable(
        "DEALGRAPH_LIMIT_FILTER_VALUES",
        "100",
        "most values in a list of a filter",
    ),
    variable(
        "DEALGRAPH_LIMIT_CONNECTIONS_PER_PERSON",
        "20",
        "most WebSockets and event streams of a person or key",
    ),
    variable(
        "DEALGRAPH_LIMIT_CONNECTIONS_PER_TENANT",
        "5000",
        "most WebSockets and event streams of a tenant",
    ),
    variable(
        "DEALGRAPH_LIMIT_SUBSCRIPTIONS",
        "64",
        "most subscriptions on a WebSocket",
    ),
    variable(
        "DEALGRAPH_LIMIT_EVENT_TIME_MS",
        "1000",
        "longest time that a subscription takes for one event, in milliseconds",
    ),
    variable(
        "DEALGRAPH_LIMIT_POINTS",
        "enforce",
        "`enforce` refuses requests of those who have no points left, `measure` only reports them",
    ),
    variable(
        "DEALGRAPH_LIMIT_PERSON_POINTS",
        "100000",
        "most points that a person or key can have; one is an object of an answer",
    ),
    variable(
        "DEALGRAPH_LIMIT_PERSON_POINTS_PER_SECOND",
        "5000",
        "points that come back to them each second",
    ),
    variable(
        "DEALGRAPH_LIMIT_TENANT_POINTS",
        "1000000",
        "most points that all of a tenant can have together",
    ),
    variable(
        "DEALGRAPH_LIMIT_TENANT_POINTS_PER_SECOND",
        "50000",
        "points that come back to them each second",
    ),
    variable(
        "DEALGRAPH_LIMIT_TIMEOUT_MS",
        "10000",
        "longest run of a request, in milliseconds",
    ),
    variable(
        "DEALGRAPH_METRICS_OPERATIONS",
        "",
        "names of operations that metrics tell apart, with commas between, beside those of `DEALGRAPH_DOCUMENTS`; all others count together",
    ),
    variable(
        "DEALGRAPH_LOG",
        "info",
        "what is logged: a level, or `target=level` pairs with commas between",
    ),
    variable(
        "DEALGRAPH_LOG_FORMAT",
        "auto",
        "`json` or `text`; `auto` is text on a terminal and json elsewhere",
    ),
    variable(
        "DEALGRAPH_LOG_SLOW_MS",
        "1000",
        "from how long on a statement is logged as slow, in milliseconds",
    ),
    variable(
        "DEALGRAPH_LOG_SLOW_PLANS",
        "off",
        "`on` logs the plans of slow statements that read, without their values",
    ),
    variable(
        "DEALGRAPH_OTLP_ENDPOINT",
        "",
        "base address of an OpenTelemetry collector that takes OTLP over HTTP, such as `http://localhost:4318`; without it no traces are recorded",
    ),
    variable(
        "DEALGRAPH_TRACE_RATIO",
        "1",
        "the part of traces that is kept, from `0` to `1`; those that are slow or failed are kept in any case",
    ),
    variable(
        "DEALGRAPH_TRACE_SLOW_MS",
        "1000",
        "from how long on a request is slow, whose trace is kept, in milliseconds",
    ),
    variable(
        "DEALGRAPH_SERVICE_NAME",
        "dealgraph",
        "the `service.name` that traces carry",
    ),
    variable(
        "DEALGRAPH_TRUST_TRACEPARENT",
        "off",
        "`on` continues the trace that a request's `traceparent` names; only behind a proxy that sets it",
    ),
    variable(
        "DEALGRAPH_PG_BIN",
        "",
        "folder with the Postgres programs that `dev` and the tests start; found by itself when unset",
    ),
];

/// The variable of that name.
pub(super) fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}
