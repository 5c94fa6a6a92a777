"""The alerts: what Prometheus says of them, their unit tests, and what is written on each."""

import re

import yaml

from files import ALERTS_PAGE, CHART, RULES, TESTS, promtool, rules

SEVERITIES = ("critical", "warning", "info")


def prometheus_takes_the_rules():
    fault = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    if fault:
        yield fault


def every_alert_fires_when_it_should_and_not_before():
    fault = promtool("test", "rules", TESTS)
    if fault:
        yield fault
    calm, fires = {}, {}
    for group in yaml.safe_load(TESTS.read_text())["tests"]:
        for asked in group["promql_expr_test"]:
            (name,) = re.findall(r'alertname="(\w+)", alertstate="firing"', asked["expr"])
            (fires if asked.get("exp_samples") else calm).setdefault(name, []).append(asked)
    for name in rules():
        if name not in calm or name not in fires:
            yield f"{name} is not tested both ways"
    yield from (f"there is no alert {name}" for name in {*calm, *fires} - set(rules()))


def every_alert_says_what_it_is_and_what_to_do():
    headings = set(re.findall(r"(?m)^## (\w+)$", ALERTS_PAGE.read_text()))
    for name, rule in rules().items():
        notes = rule["annotations"]
        if set(notes) != {"summary", "description", "runbook_url"}:
            yield f"{name} has {set(notes)}"
        if rule["labels"].get("severity") not in SEVERITIES:
            yield f"{name} has no severity"
        if notes["runbook_url"] != f"docs/operators/alerts.md#{name.lower()}":
            yield f"{name} has its runbook at {notes['runbook_url']}"
        if "{{" in notes["summary"]:
            yield f"{name}: the summary of an alert is the same for all that it is about"
    yield from (f"docs/operators/alerts.md has no {name}" for name in set(rules()) - headings)
    yield from (f"docs/operators/alerts.md has {name}, which is no alert" for name in headings - set(rules()))
    for section in re.split(r"(?m)^## ", ALERTS_PAGE.read_text())[1:]:
        name = section.split("\n", 1)[0]
        missing = [part for part in ("Means", "Look at", "Do") if f"**{part}.**" not in section]
        if missing and name in rules():
            yield f"docs/operators/alerts.md, {name}: there is no {' and no '.join(missing)}"
        words = rules().get(name, {}).get("labels", {}).get("severity", "")
        if words and not re.search(rf"\A.*\n\n{words.capitalize()}\.", section):
            yield f"docs/operators/alerts.md, {name} does not begin with its severity"


def limits_that_no_metric_has_stand_where_the_chart_finds_them():
    template = (CHART / "templates/prometheusrule.yaml").read_text()
    for said in re.findall(r'replace "([a-z_]+ / \d+)"', template):
        if not any(said in rule["expr"] for rule in rules().values()):
            yield f"no alert has `{said}`, which the chart would put its values into"
    numbers = {number for rule in rules().values() for number in re.findall(r"\b\w+ / (\d{4,})", rule["expr"])}
    if len(numbers) != len(re.findall(r'replace "', template)):
        yield f"the chart puts its values into other numbers than {numbers}"
