"""Sends what schemathesis makes of the schema to a server of its own, as every role of a tenant, and fails when an
answer is a fault of the server, none of GraphQL, or holds anything of the other tenant.

    python loadtests/fuzz target/release/dealgraph --cases 5000 --seconds 240 --seed 1 [--only opportunityUpdate]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import schemathesis
from hypothesis.configuration import set_hypothesis_home_dir
from schemathesis.core.result import Ok

import tenants
from cases import EXCLUDED, Aim, register_scalars
from judge import Judge, Verdict, reduced
from server import Server

TENANT, OTHER = "maven", "globex"
ADMIN, OTHER_ADMIN = "admin@maven.example", "admin@globex.example"
# Those who may the least come first, so that they find all that the others change and delete.
PEOPLE = {
    "VIEWER": "viewer@maven.example",
    "ANALYST": "analyst@maven.example",
    "SALES_REP": "darcel.schlecht@maven.example",
    "MANAGER": "melvin.marxen@maven.example",
    "ADMIN": ADMIN,
}
# Lists within lists are where one record may show another: of queries more is to be tried than of mutations.
WEIGHTS = {True: 3, False: 1}
SHOWN = 25


@dataclass
class Counts:
    """What came of the cases of one role."""

    cases: int = 0
    ran: int = 0
    mutations: int = 0
    done: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    unknown: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, document: str, verdict: Verdict) -> None:
        """Counts a case."""
        self.cases += 1
        self.ran += verdict.ran
        if document.startswith("mutation"):
            self.mutations += 1
            self.done += verdict.ran and not verdict.refusals
        self.statuses[verdict.status] += 1
        self.codes.update(verdict.codes)
        self.refusals.update(verdict.refusals)
        self.unknown |= verdict.unknown
        self.faults.update({kind for kind, _ in verdict.faults})


@dataclass
class Finding:
    """The first case that showed a fault, and how often it was seen."""

    role: str
    field: str
    faults: list[tuple[str, str]]
    document: str
    least: str
    answer: str
    log: list[str]
    times: int = 1


class Run:
    """One run against one server."""

    def __init__(self, server: Server, arguments: argparse.Namespace) -> None:
        self.server = server
        self.arguments = arguments
        self.token = server.token(ADMIN, TENANT)
        schema = schemathesis.graphql.from_url(server.url, headers={"authorization": f"Bearer {self.token}"})
        self.schema = schema.client_schema
        operations: list[Any] = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
        self.fields = [
            operation
            for operation in operations
            if operation.definition.field_name not in EXCLUDED
            and arguments.only in (None, operation.definition.field_name)
        ]
        self.findings: dict[tuple[str, ...], Finding] = {}
        self.own = tenants.read(server, self.token, self.schema)
        self.other = tenants.read(server, server.token(OTHER_ADMIN, OTHER), self.schema)
        self.judge = Judge(self.own, self.other)
        spared = {self.id_of(email) for email in PEOPLE.values()}
        self.aim = Aim(self.schema, self.own, self.other, spared)

    def id_of(self, email: str) -> str:
        """Whose account is not to be removed or suspended while it is still to be tested."""
        answer = self.server.post(self.server.token(email, TENANT), "{ viewer { id } }").json()
        return str(answer["data"]["viewer"]["id"])

    def as_role(self, role: str, email: str) -> Counts:
        """All cases of one role, the same number for each field of a root."""
        counts = Counts()
        self.token = self.server.token(email, TENANT)
        until = time.monotonic() + self.arguments.seconds
        weights = [WEIGHTS[operation.definition.is_query] for operation in self.fields]
        unit = -(-self.arguments.cases // (len(PEOPLE) * sum(weights)))
        for operation, weight in zip(self.fields, weights, strict=True):
            self.on_field(role, operation, unit * weight, until, counts)
        answer = self.server.post(self.token, "{ viewer { role } }").json()
        if (answer.get("data") or {}).get("viewer", {}).get("role") != role:
            self.keep(role, "viewer", [("role", "the person has another role")], "", str(answer), "")
        return counts

    def on_field(self, role: str, operation: Any, cases: int, until: float, counts: Counts) -> None:
        """The cases of one role on one field."""
        name = operation.definition.field_name

        def sent(document: str) -> None:
            if time.monotonic() < until:
                self.send(role, name, document, counts)

        test = hypothesis.given(self.aim.cases(operation))(sent)
        test = hypothesis.settings(
            max_examples=cases,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )(test)
        # Its own for each field, so that `--only` makes the same cases again.
        hypothesis.seed(zlib.crc32(f"{self.arguments.seed} {role} {name}".encode()))(test)()

    def send(self, role: str, name: str, document: str, counts: Counts) -> None:
        """Sends one case and judges the answer."""
        answer = self.server.post(self.token, document)
        verdict = self.judge.of(document, answer)
        counts.add(document, verdict)
        if verdict.faults:
            self.keep(role, name, verdict.faults, document, answer.text, answer.headers.get("x-request-id", ""))

    def keep(
        self, role: str, name: str, faults: list[tuple[str, str]], document: str, answer: str, request: str
    ) -> None:
        """Keeps a finding, made as small as it goes; the same kind on the same field is one."""
        is_leak = any(kind == "leak" for kind, _ in faults)
        key = (name, "leak") if is_leak else (name, *(f"{kind} {what[:40]}" for kind, what in faults))
        if key in self.findings:
            self.findings[key].times += 1
            return
        kinds = {kind for kind, _ in faults}

        def still(smaller: str) -> bool:
            again = self.judge.of(smaller, self.server.post(self.token, smaller))
            return {kind for kind, _ in again.faults} == kinds

        log = self.server.log_of(request)
        least = reduced(document, still) if document and len(self.findings) < SHOWN else document
        self.findings[key] = Finding(role, name, faults, document, least, answer, log)

    def compare_other(self) -> None:
        """Whether the other tenant still has what it had: reading nothing of it is only half of leaving it alone."""
        now = tenants.read(self.server, self.server.token(OTHER_ADMIN, OTHER), self.schema)
        for name, before in _lasting(self.other).items():
            after = _lasting(now)[name]
            if after != before:
                changed = [record for record in after if record not in before]
                self.keep("", name, [("changed", f"{OTHER} has other {name} than before")], "", str(changed[:3]), "")


def _lasting(tenant: tenants.Tenant) -> dict[str, list[Any]]:
    """The records without what is meant to change: when the admin we read with was last seen, and that attempts on
    ids of the tenant from outside are written into its own audit log."""
    return {
        name: [{**record, "lastSeenAt": None} for record in records if record.get("action") != "access.foreign_id"]
        for name, records in tenant.records.items()
    }


def main() -> int:
    """Runs, prints, and says by the exit status whether anything was found."""
    parser = argparse.ArgumentParser(
        prog="fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("executable", help="the dealgraph to test")
    parser.add_argument("--cases", type=int, default=5_000, help="of all roles together, at least (%(default)s)")
    parser.add_argument("--seconds", type=float, default=240, help="longest for each role (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same cases (%(default)s)")
    parser.add_argument("--only", help="one field of Query or Mutation by its name")
    arguments = parser.parse_args()
    began = time.monotonic()
    register_scalars()
    with tempfile.TemporaryDirectory() as home, Server(arguments.executable) as server:
        set_hypothesis_home_dir(home)
        run = Run(server, arguments)
        print(f"seed {arguments.seed}, {len(run.fields)} fields, watching for {run.judge.watched} of {OTHER}")
        print("".join(f"not sent: {name}, because {why}\n" for name, why in EXCLUDED.items()), end="", flush=True)
        total = 0
        for role, email in PEOPLE.items():
            counts = run.as_role(role, email)
            total += counts.cases
            show(role, counts)
        run.compare_other()
        print(f"{total} cases in {time.monotonic() - began:.0f} s, {len(run.findings)} findings")
        if total < arguments.cases:
            print(f"fewer than the {arguments.cases} asked for: --seconds was too short")
        for finding in list(run.findings.values())[:SHOWN]:
            report(finding)
    return 1 if run.findings or not total else 0


def show(role: str, counts: Counts) -> None:
    """Prints the counts of a role. How many ran comes first: what was refused proves nothing."""
    ran = counts.ran / max(counts.cases, 1)
    print(f"{role}: {counts.cases} cases, {ran:.0%} ran, {counts.done} of {counts.mutations} mutations done")
    for label, counter in (("statuses", counts.statuses), ("errors", counts.codes), ("userErrors", counts.refusals)):
        print(f"  {label}: " + ", ".join(f"{what} {times}" for what, times in counter.most_common()))
    if counts.unknown:
        print("  userErrors that no page names: " + ", ".join(sorted(counts.unknown)))
    faults = counts.faults
    print(f"  5xx {faults['5xx']}, internal {faults['INTERNAL']}, leaks {faults['leak']}", flush=True)


def report(finding: Finding) -> None:
    """Prints a finding, so that it can be sent again by hand."""
    faults = ", ".join(f"{kind} {what}".strip() for kind, what in finding.faults)
    print(f"\nFOUND {finding.field}: {faults} ({finding.times} times, first as {finding.role})")
    print(f"{finding.least}\n-> {finding.answer[:1_500]}")
    print("".join(f"log: {line[:1_000]}\n" for line in finding.log[:5]), end="")


if __name__ == "__main__":
    sys.exit(main())
