"""What is checked, and with which programs."""

import functools
import json
import os
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
CHART = ROOT / "helm/dealgraph"
RULES = CHART / "rules/dealgraph.yaml"
DASHBOARD = CHART / "dashboards/dealgraph.json"
TESTS = Path(__file__).resolve().parent / "alerts.yaml"
METRICS_PAGE = ROOT / "docs/operators/metrics.md"
ALERTS_PAGE = ROOT / "docs/operators/alerts.md"
PROMTOOL, PROMETHEUS = os.environ["PROMTOOL"], os.environ["PROMETHEUS"]
# The server to scrape, if there is one.
SERVER = os.environ.get("DEALGRAPH")


@functools.lru_cache(maxsize=None)
def rules():
    """The alerts, by name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


@functools.lru_cache(maxsize=None)
def expressions():
    """Every expression of rules and dashboard, with where it stands. What Grafana puts in is put in."""
    found = [(f"alert {name}", rule["expr"]) for name, rule in rules().items()]
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            expr = target["expr"].replace("$__rate_interval", "1m")
            for choice in ("namespace", "job", "instance"):
                expr = expr.replace(f"${choice}", ".*")
            found.append((f"panel {panel['title']}", expr))
    return found


def promtool(*arguments):
    """What promtool finds wrong."""
    answer = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True)
    return (answer.stdout + answer.stderr).strip() if answer.returncode else None
