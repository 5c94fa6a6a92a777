"""Rules, dashboard and pages held against what a real server tells a real Prometheus."""

import re
import time

from expressions import family, named
from files import METRICS_PAGE, expressions, rules

# What Prometheus itself adds to what it scrapes.
OF_PROMETHEUS = {"up"}
# Labels that Prometheus gives its targets. Outside of Kubernetes there is no namespace.
OF_TARGETS = {"job", "instance", "namespace"}
# Labels whose values are seen only when something goes wrong; those that there may be are in the pages.
SEEN_IN_TROUBLE = {"code", "sqlstate"}


def page():
    """The metrics of docs/operators/metrics.md."""
    return set(re.findall(r"(?m)^\| `((?:dealgraph|process)_\w+)`", METRICS_PAGE.read_text()))


def every_metric_that_is_named_is_in_the_pages():
    """Also without a server."""
    known = page()
    if len(known) < 40:
        yield f"docs/operators/metrics.md has only {len(known)} metrics"
    for where, expr in expressions():
        for selector in named(expr)[0]:
            if family(selector.metric) not in known | OF_PROMETHEUS:
                yield f"{where}: docs/operators/metrics.md has no {selector.metric}"


def figures_of_the_business_are_added_over_no_servers():
    """All servers tell the same."""
    figures = re.findall(r"(?m)^\| `(dealgraph_\w+)`", METRICS_PAGE.read_text().split("## Business")[1])
    if len(figures) < 6:
        yield f"docs/operators/metrics.md has only {figures} as figures"
    for where, expr in expressions():
        named_figures = [name for name in figures if name in expr]
        if named_figures and re.search(r"\b(sum|avg)\b", expr):
            yield f"{where} adds {named_figures}"


def every_metric_is_panelled():
    shown = {family(one.metric) for where, expr in expressions() if where.startswith("panel") for one in named(expr)[0]}
    yield from (f"no panel shows {name}" for name in page() - shown)


def everything_named_is_scraped(live):
    series = live.series()
    for where, expr in expressions():
        selectors, groups = named(expr)
        labels_of_all = set(OF_TARGETS)
        for selector in selectors:
            found = series.get(selector.metric)
            if selector.metric in OF_PROMETHEUS:
                continue
            if not found:
                yield f"{where}: the server has no {selector.metric}"
                continue
            labels = {name for one in found for name in one}
            labels_of_all |= labels
            yield from (
                f"{where}: {selector.metric} has no label {label}"
                for label in selector.labels
                if label not in labels | OF_TARGETS
            )
            for label, value in selector.equal.items():
                if label not in SEEN_IN_TROUBLE and value not in {one.get(label) for one in found}:
                    yield f"{where}: no {selector.metric} has {label}={value}"
        yield from (f"{where}: there is no label {label} to sum by" for label in groups if label not in labels_of_all)


def every_expression_has_an_answer(live):
    """An empty one is fine for an alert, which is calm, and none for a panel."""
    for where, expr in expressions():
        answer, error = live.api("query", query=expr)
        if error:
            yield f"{where}: {error}"
        elif where.startswith("panel") and not answer["result"] and "offset 1d" not in expr:
            # Nothing was there a day before.
            yield f"{where} shows nothing"


def the_pages_have_what_is_scraped_and_no_more(live):
    text = live.scrape()
    scraped = set()
    for name, kind in re.findall(r"(?m)^# TYPE (\w+) (\w+)$", text):
        scraped.add(name + {"counter": "_total", "info": "_info"}.get(kind, ""))
    yield from (f"docs/operators/metrics.md has no {name}" for name in scraped - page())
    yield from (f"docs/operators/metrics.md has {name}, and the server has not" for name in page() - scraped)
    for name in scraped:
        if not re.match(r"(dealgraph|process)_[a-z0-9_]+$", name):
            yield f"{name} is no name of ours"
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \| ([^|]*) \|", METRICS_PAGE.read_text()))
    for name in scraped & rows.keys():
        found = {label for one in live.series().get(f"{name}_bucket") or live.series().get(name, []) for label in one}
        labels = found - OF_TARGETS - {"__name__", "le"}
        if labels != set(re.findall(r"`(\w+)`", rows[name])):
            yield f"docs/operators/metrics.md: the labels of {name} are {sorted(labels)}"


def a_server_that_is_well_raises_no_alert(live):
    groups, error = live.api("rules", type="alert")
    if error:
        yield error
        return
    seen = {rule["name"]: rule for group in groups["groups"] for rule in group["rules"]}
    if set(seen) != set(rules()):
        yield f"Prometheus goes by other alerts: {set(seen) ^ set(rules())}"
    for name, rule in seen.items():
        if rule["health"] != "ok" or rule["state"] != "inactive":
            yield f"{name} is {rule['state']}, {rule['health']}: {rule.get('lastError', '')}{rule['alerts']}"


def targets_are_well(live):
    deadline = time.monotonic() + 10
    while True:
        (target,) = live.api("targets")[0]["activeTargets"]
        if target["health"] == "up" or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    if target["health"] != "up":
        yield f"{target['scrapeUrl']}: {target['lastError']}"


def a_server_that_ends_raises_one(live):
    """Last: there is no server after it."""
    code = live.end_server()
    if code:
        yield f"the server ended with {code}"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        groups, _ = live.api("rules", type="alert")
        raised = {rule["name"] for group in groups["groups"] for rule in group["rules"] if rule["state"] != "inactive"}
        if {"DealgraphDown", "DealgraphServerDown"} <= raised:
            break
        time.sleep(0.5)
    else:
        yield f"without a server only {sorted(raised)} are raised"
    if raised - {"DealgraphDown", "DealgraphServerDown"}:
        yield f"without a server {sorted(raised)} are raised"
