"""The dashboard for Grafana, from the table below: helm/dealgraph/dashboards/dealgraph.json is written by `UPDATE=1`."""

import json

from files import DASHBOARD

# What a selector of every panel begins with; the choices are at the top of the dashboard.
OF = 'namespace=~"$namespace", job=~"$job", instance=~"$instance"'
BY = "$__rate_interval"


def rate(metric, labels="", by=""):
    selector = ", ".join(part for part in (OF, labels) if part)
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{selector}}}[{BY}]))"


def quantile(share, metric, labels="", by=""):
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', labels, f'le, {by}' if by else 'le')})"


def gauge(metric, labels="", by=""):
    selector = ", ".join(part for part in (OF, labels) if part)
    return f"sum{f' by ({by})' if by else ''} ({metric}{{{selector}}})"


def each(metric):
    """Of each server by itself."""
    return f"{metric}{{{OF}}}"


def told(metric):
    """A figure that all servers tell alike."""
    return f"max ({metric}{{{OF}}})"


def grown(metric):
    """How much it has grown in a day. Servers that were replaced meanwhile do not matter, since all tell alike."""
    return f"{told(metric)} - max ({metric}{{{OF}}} offset 1d)"


OPERATIONS = "dealgraph_graphql_operations_total"
OPERATION_TIME = "dealgraph_graphql_operation_duration_seconds"
FAULTS = 'code=~"INTERNAL|TIMEOUT|UNAVAILABLE|TENANT_BUSY"'
COLLISIONS = 'sqlstate=~"40.*"'
HTTP = "dealgraph_http_server_request_duration_seconds"
STATEMENTS = "dealgraph_db_client_operation_duration_seconds"
JOBS = "dealgraph_jobs_ended_total"
JOB_TIME = "dealgraph_job_duration_seconds"
JOB_DELAY = "dealgraph_job_delay_seconds"
HOOKS = "dealgraph_webhook_requests_total"
HOOK_TIME = "dealgraph_webhook_request_duration_seconds"
HOOK_DELAY = "dealgraph_webhook_delivery_delay_seconds"
HOOKS_BEHIND = "dealgraph_webhook_events_behind"
REDIS = "dealgraph_redis_commands_total"
REDIS_TIME = "dealgraph_redis_command_duration_seconds"
LAG = "dealgraph_event_lag_seconds"
CACHE = "dealgraph_cache_{}_total"

# Rows: what they are called, and their panels: title, unit, what it shows, and the queries with their names.
ROWS = [
    ("Operations: rate, errors, duration", [
        ("Operations", "reqps", "How many operations end, by name. Names that the operator has not listed are other.",
         [(rate(OPERATIONS, by="type, operation"), "{{type}} {{operation}}")]),
        ("Errors", "reqps", "Operations whose first error has this code.",
         [(rate(OPERATIONS, 'code!="OK"', "code"), "{{code}}")]),
        ("Share of faults", "percentunit", "Operations that end with an error of the server's own.",
         [(f"({rate(OPERATIONS, FAULTS)} or vector(0)) / {rate(OPERATIONS)}", "faults")]),
        ("Duration of all operations", "s", "Queries and mutations together.",
         [(quantile(share, OPERATION_TIME, 'type!="subscription"'), name)
          for share, name in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))]),
        ("Duration by operation, 95 %", "s", "One in twenty takes longer.",
         [(quantile(0.95, OPERATION_TIME, by="type, operation"), "{{type}} {{operation}}")]),
        ("Points", "short", "What operations reserve at their begin.",
         [(quantile(0.5, "dealgraph_graphql_operation_points"), "half"),
          (quantile(0.99, "dealgraph_graphql_operation_points"), "99 %")]),
        ("HTTP by status", "reqps", "All requests of clients, GraphQL or not.",
         [(rate(f"{HTTP}_count", by="http_response_status_code"), "{{http_response_status_code}}")]),
        ("HTTP by route, 95 %", "s", "From a request's head to the head of its response.",
         [(quantile(0.95, HTTP, by="http_request_method, http_route"), "{{http_request_method}} {{http_route}}")]),
        ("Requests under way", "short", "Requests that are being answered.",
         [(each("dealgraph_http_server_active_requests"), "{{instance}}")]),
    ]),
    ("Postgres: admission, pools, statements", [
        ("Wait to be admitted", "s", "How long requests wait for their turn to get a connection.",
         [(quantile(0.5, "dealgraph_db_admission_wait_seconds"), "half"),
          (quantile(0.95, "dealgraph_db_admission_wait_seconds"), "95 %")]),
        ("Waiting and admitted", "short", "Requests that wait for their turn, and those that have a connection.",
         [(gauge("dealgraph_db_admission_waiting"), "waiting"), (gauge("dealgraph_db_admission_admitted"), "admitted")]),
        ("Refused as TENANT_BUSY", "reqps", "Not admitted in time, or the tenant's queue was full.",
         [(rate("dealgraph_db_admission_refused_total", by="instance"), "{{instance}}")]),
        ("Connections", "short", "Those in use and idle, and how many there may be.",
         [(gauge("dealgraph_db_client_connections", by="pool, state"), "{{pool}} {{state}}"),
          (gauge("dealgraph_db_client_connections_max", by="pool"), "{{pool}} at most")]),
        ("Statements", "ops", "By what they do.", [(rate(f"{STATEMENTS}_count", by="verb"), "{{verb}}")]),
        ("Duration of statements, 99 %", "s", "With the rows that they read.",
         [(quantile(0.99, STATEMENTS, by="verb"), "{{verb}}")]),
        ("Statements for an operation", "short", "How many an operation takes.",
         [(f"{rate(f'{STATEMENTS}_count')} / {rate(OPERATIONS)}", "statements")]),
        ("Statements refused", "ops", "By the SQLSTATE, or its class; LOST got no answer.",
         [(rate("dealgraph_db_statement_errors_total", by="sqlstate"), "{{sqlstate}}")]),
        ("Collisions", "ops", "Deadlocks and serialization failures, and how many of them were tried again.",
         [(f"{rate('dealgraph_db_statement_errors_total', COLLISIONS)} or vector(0)", "collided"),
          (rate("dealgraph_db_transactions_retried_total"), "run again")]),
    ]),
    ("Read replica", [
        ("Reads of the replica", "ops", "Snapshots that were begun there.",
         [(rate("dealgraph_db_replica_reads_total", by="instance"), "{{instance}}")]),
        ("Reads of the primary in its place", "ops", "Why reads that might have been done at the replica were not.",
         [(rate("dealgraph_db_replica_fallbacks_total", by="reason"), "{{reason}}")]),
        ("Behind the primary", "s", "How long ago the primary was where the replica is.",
         [(each("dealgraph_db_replica_lag_seconds"), "{{instance}}")]),
    ]),
    ("Response cache", [
        ("Queries", "reqps", "Answered from the cache, looked for in vain, and not looked for.",
         [(rate(CACHE.format(name)), name) for name in ("hits", "misses", "bypassed")]),
        ("Share answered from the cache", "percentunit", "Of those that were looked for.",
         [(f"{rate(CACHE.format('hits'))} / ({rate(CACHE.format('hits'))} + {rate(CACHE.format('misses'))})", "hits")]),
    ]),
    ("Sockets and events", [
        ("Open sockets and streams", "short", "WebSockets and event streams.",
         [(each("dealgraph_live_connections"), "{{instance}}")]),
        ("Subscriptions and tenants", "short", "Subscriptions under way, and tenants whose log is followed.",
         [(gauge("dealgraph_subscriptions"), "subscriptions"), (gauge("dealgraph_live_tenants"), "tenants")]),
        ("Event lag", "s", "From the begin of the transaction that wrote an event to its being left for subscribers.",
         [(quantile(share, LAG), name) for share, name in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))]),
        ("Backlog", "short", "Events not yet read at the last poll, of the tenant with most of them.",
         [(each("dealgraph_event_backlog"), "{{instance}}")]),
        ("Answers and messages", "ops", "Worked out once for all who asked the same, and left for each of them.",
         [(rate("dealgraph_subscription_answers_total"), "answers"),
          (rate("dealgraph_subscription_messages_total"), "messages")]),
        ("Lagged, and found by polling", "ops", "Subscriptions of slow clients that ended; growth that no hint told of.",
         [(rate("dealgraph_subscriptions_lagged_total"), "lagged"),
          (rate("dealgraph_events_found_by_poll_total"), "found by polling")]),
    ]),
    ("Jobs", [
        ("Running", "short", "Jobs that servers do now.", [(each("dealgraph_jobs_running"), "{{instance}}")]),
        ("Ends", "ops", "Attempts, by how they ended.", [(rate(JOBS, by="outcome"), "{{outcome}}")]),
        ("Duration", "s", "How long attempts took.",
         [(quantile(0.5, JOB_TIME), "half"), (quantile(0.99, JOB_TIME), "99 %")]),
        ("Delay", "s", "How long jobs were due before they were begun.",
         [(quantile(0.5, JOB_DELAY), "half"), (quantile(0.95, JOB_DELAY), "95 %")]),
    ]),
    ("Webhooks", [
        ("Sent", "ops", "To all endpoints, by what became of it.", [(rate(HOOKS, by="outcome"), "{{outcome}}")]),
        ("Share delivered", "percentunit", "Of what was sent.",
         [(f"""{rate(HOOKS, 'outcome="delivered"')} / {rate(HOOKS)}""", "delivered")]),
        ("Duration of requests", "s", "How long receivers took, of fifteen seconds.",
         [(quantile(0.5, HOOK_TIME), "half"), (quantile(0.99, HOOK_TIME), "99 %")]),
        ("Waiting", "s", "How long deliveries had been due when they were sent.",
         [(quantile(0.5, HOOK_DELAY), "half"), (quantile(0.95, HOOK_DELAY), "95 %")]),
        ("Behind", "short", "Events that were not worked out yet when an endpoint was looked at.",
         [(quantile(0.5, HOOKS_BEHIND), "half"), (quantile(0.95, HOOKS_BEHIND), "95 %")]),
        ("Endpoints that rest", "ops", "How often one was left alone, since it could not be reached or asked for it.",
         [(rate("dealgraph_webhook_endpoint_rests_total"), "rests")]),
        ("Endpoints disabled", "ops", "By the server, and why.",
         [(rate("dealgraph_webhook_endpoints_disabled_total", by="reason"), "{{reason}}")]),
    ]),
    ("Redis", [
        ("Connected", "short", "1 while Redis carries hints between servers, or none is configured.",
         [(each("dealgraph_redis_connected"), "{{instance}}")]),
        ("Commands", "ops", "By how they ended.", [(rate(REDIS, by="outcome"), "{{outcome}}")]),
        ("Duration of commands", "s", "Of those that Redis answered.",
         [(quantile(0.5, REDIS_TIME), "half"), (quantile(0.99, REDIS_TIME), "99 %")]),
    ]),
    ("Servers", [
        ("Ready and draining", "short", "Servers that should get requests, those that are to stop, and all.",
         [(gauge("dealgraph_ready"), "ready"), (gauge("dealgraph_draining"), "draining"),
          (f"count ({each('dealgraph_build_info')})", "all")]),
        ("Dependencies", "short", "1 while a server finds what it depends on healthy.",
         [(each("dealgraph_dependency_healthy"), "{{instance}} {{dependency}}")]),
        ("Versions", "short", "How many servers run which version.",
         [(f"count by (version) ({each('dealgraph_build_info')})", "{{version}}")]),
        ("Processor", "percentunit", "1 is one processor.",
         [(rate("process_cpu_seconds_total", by="instance"), "{{instance}}")]),
        ("Memory", "bytes", "Resident.", [(each("process_resident_memory_bytes"), "{{instance}}")]),
        ("Connections of clients", "short", "Sockets and streams among them, and those refused a second.",
         [(each("dealgraph_connections"), "{{instance}}"),
          (rate("dealgraph_connections_refused_total"), "refused a second")]),
        ("Share of the connections", "percentunit", "Of those that there may be.",
         [(f"{each('dealgraph_connections')} / {each('dealgraph_connections_max')}", "{{instance}}")]),
        ("Files", "percentunit", "Of the file descriptors that may be open.",
         [(f"{each('process_open_fds')} / {each('process_max_fds')}", "{{instance}}")]),
        ("Tasks and threads", "short", "Tasks of the runtime, those that wait for a thread of it, its threads, and all.",
         [(gauge("dealgraph_runtime_tasks"), "tasks"), (gauge("dealgraph_runtime_queue_depth"), "waiting"),
          (gauge("dealgraph_runtime_workers"), "threads of the runtime"), (gauge("process_threads"), "threads")]),
        ("Age", "s", "Since when each server runs.",
         [(f"time() - {each('process_start_time_seconds')}", "{{instance}}")]),
        ("Mails", "ops", "Sent, failed for good, or lost because too many waited.",
         [(rate("dealgraph_mails_total", by="outcome"), "{{outcome}}")]),
        ("Audit entries lost", "ops", "Refusals and attempts that are in no audit log.",
         [(rate("dealgraph_audit_entries_lost_total", by="instance"), "{{instance}}")]),
    ]),
    ("Business", [
        ("Deals won and lost in a day", "short", "In all tenants.",
         [(grown("dealgraph_deals_won_total"), "won"), (grown("dealgraph_deals_lost_total"), "lost")]),
        ("Next actions and leads in a day", "short", "In all tenants.",
         [(grown("dealgraph_actions_completed_total"), "actions completed"),
          (grown("dealgraph_leads_converted_total"), "leads converted")]),
        ("Deals due", "short", "Deals whose next action is due by the end of the day, and those overdue among them.",
         [(told("dealgraph_deals_due"), "due"), (told("dealgraph_deals_overdue"), "overdue")]),
        ("Since the beginning", "short", "In all tenants.",
         [(told("dealgraph_deals_won_total"), "won"), (told("dealgraph_deals_lost_total"), "lost")]),
        ("Age of the figures", "s", "How long ago each server read them.",
         [(f"time() - {each('dealgraph_figures_read_timestamp_seconds')}", "{{instance}}")]),
    ]),
]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT = 8, 7


def made():
    panels, y = [], 0
    for title, row in ROWS:
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": place(0, y, 24, 1)})
        y += 1
        for at, panel in enumerate(row):
            panels.append(graph(*panel, place(at % 3 * WIDTH, y + at // 3 * HEIGHT, WIDTH, HEIGHT)))
        y += -(-len(row) // 3) * HEIGHT
    whole = {
        "uid": "dealgraph",
        "title": "Dealgraph",
        "description": "What Dealgraph's servers do. docs/operators/metrics.md says what each metric means.",
        "tags": ["dealgraph"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [choice("datasource", "Data source", None)] + [
            choice(name, name.capitalize(), name) for name in ("namespace", "job", "instance")
        ]},
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, 1)],
    }
    return json.dumps(whole, indent=1) + "\n"


def place(x, y, width, height):
    return {"x": x, "y": y, "w": width, "h": height}


def graph(title, unit, description, queries, position):
    return {
        "type": "timeseries",
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "gridPos": position,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": {"fillOpacity": 10}}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
            for at, (expr, legend) in enumerate(queries)
        ],
    }


def choice(name, label, of):
    if of is None:
        return {"name": name, "label": label, "type": "datasource", "query": "prometheus"}
    query = f"label_values(dealgraph_build_info, {of})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        # Also where there is no such label, as namespace outside of Kubernetes.
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def update():
    DASHBOARD.parent.mkdir(exist_ok=True)
    DASHBOARD.write_text(made())


def the_dashboard_is_what_the_table_says():
    if not DASHBOARD.exists() or DASHBOARD.read_text() != made():
        yield "helm/dealgraph/dashboards/dealgraph.json is stale; UPDATE=1 writes it anew"
    titles = [panel[0] for _, row in ROWS for panel in row]
    yield from (f"two panels are called {title}" for title in set(titles) if titles.count(title) > 1)
