"""Runs all checks; each is a function that yields what it found wrong."""

import os
import sys
import time

import alerts
import dashboard
import live
import scraped
from files import SERVER

CHECKS = [
    dashboard.the_dashboard_is_what_the_table_says,
    alerts.prometheus_takes_the_rules,
    alerts.every_alert_fires_when_it_should_and_not_before,
    alerts.every_alert_says_what_it_is_and_what_to_do,
    alerts.limits_that_no_metric_has_stand_where_the_chart_finds_them,
    scraped.every_metric_that_is_named_is_in_the_pages,
    scraped.every_metric_is_panelled,
    scraped.figures_of_the_business_are_added_over_no_servers,
]
# Those that ask a running server.
LIVE = [
    scraped.targets_are_well,
    scraped.everything_named_is_scraped,
    scraped.every_expression_has_an_answer,
    scraped.the_pages_have_what_is_scraped_and_no_more,
    scraped.a_server_that_is_well_raises_no_alert,
    scraped.a_server_that_ends_raises_one,
]
# How long the server is at work: figures are counted every ten seconds, and rates need some scrapes.
SECONDS = 15


def main():
    if os.environ.get("UPDATE"):
        dashboard.update()
    failed = sum(run(check) for check in CHECKS)
    if SERVER:
        with live.running(SECONDS) as running:
            failed += sum(run(check, running) for check in LIVE)
    else:
        for check in LIVE:
            print(f"SKIPPED         {titled(check)}: DEALGRAPH names no executable")
    print(f"{failed} failed")
    return 1 if failed else 0


def run(check, *arguments):
    began = time.monotonic()
    faults = list(check(*arguments))
    print(f"{'FAILED' if faults else 'ok':7} {time.monotonic() - began:5.1f} s  {titled(check)}", flush=True)
    for fault in faults:
        print(f"    {fault}")
    return bool(faults)


def titled(check):
    return check.__name__.replace("_", " ")


sys.exit(main())
