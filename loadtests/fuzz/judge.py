"""What an answer must not be, and what is the least that still makes it so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import graphql
import requests
from graphql import language as ast

from tenants import Tenant, distinctive, strings_in, uuids_in

REPOSITORY = Path(__file__).resolve().parents[2]


def documented_codes() -> set[str]:
    """The codes that the documentation names, and what else it writes in such letters, which is never a code."""
    pages = [REPOSITORY / "README.md", REPOSITORY / "schema.graphql", *sorted((REPOSITORY / "docs").glob("*.md"))]
    return {word for page in pages for word in re.findall(r"\b[A-Z][A-Z0-9_]{2,}\b", page.read_text())}


@dataclass
class Verdict:
    """What one answer was. `faults` are to fail the run; each is a kind and what was seen."""

    status: int
    codes: set[str] = field(default_factory=set)
    refusals: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    ran: bool = False
    faults: list[tuple[str, str]] = field(default_factory=list)


class Judge:
    """Holds answers to people of one tenant against what another one has."""

    def __init__(self, own: Tenant, other: Tenant) -> None:
        self._codes = documented_codes()
        self._uuids = other.uuids() - own.uuids()
        self._texts = distinctive(other, own)
        self._tried: set[str] = set()
        self.watched = f"{len(self._uuids)} ids, {len(self._texts)} texts"

    def of(self, document: str, answer: requests.Response) -> Verdict:
        """Judges an answer."""
        verdict = Verdict(answer.status_code)
        if answer.status_code >= 500:
            verdict.faults.append(("5xx", str(answer.status_code)))
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not _is_graphql(body):
            verdict.faults.append(("shape", answer.text[:300]))
            return verdict
        data = body.get("data")
        errors = body.get("errors", [])
        verdict.ran = data is not None and any(value is not None for value in data.values())
        verdict.codes = {str(error.get("extensions", {}).get("code")) for error in errors}
        verdict.refusals = set(_user_codes(data))
        verdict.faults += [("INTERNAL", "") for code in verdict.codes if code == "INTERNAL"]
        verdict.faults += [("signed out", "") for code in verdict.codes if code == "UNAUTHENTICATED"]
        verdict.faults += [("undocumented", code) for code in sorted(verdict.codes - self._codes)]
        # Of these the documentation says that there may be more; they are reported, and are no fault.
        verdict.unknown = verdict.refusals - self._codes
        self._look_for_leaks(document, data, body, verdict)
        return verdict

    def _look_for_leaks(self, document: str, data: Any, body: Any, verdict: Verdict) -> None:
        sent = uuids_in(document)
        if document.startswith("mutation"):
            # From now on it may well be a record of the person's own, because ids may be brought along.
            self._uuids -= sent
        self._tried |= sent
        # A refusal may repeat what was sent. Data may not: a query that gets an id back has found its record.
        found = (uuids_in(json.dumps(data)) | uuids_in(json.dumps(body)) - sent) & self._uuids
        if "auditLog" in document:
            # It keeps the ids that the people of the tenant have tried.
            found -= self._tried
        text = "\n".join(strings_in(body))
        found |= {each for each in self._texts if each in text and each not in document}
        verdict.faults += [("leak", each) for each in sorted(found)[:3]]


def _is_graphql(body: Any) -> bool:
    """Whether the answer is shaped as the specification says, section 7.1."""
    if not isinstance(body, dict) or not body.keys() <= {"data", "errors", "extensions"}:
        return False
    errors = body.get("errors", [])
    are_errors = isinstance(errors, list) and all(
        isinstance(error, dict) and isinstance(error.get("message"), str) for error in errors
    )
    has_data = isinstance(body.get("data", {}), dict | None)
    return are_errors and has_data and ("data" in body or bool(errors)) and ("errors" not in body or bool(errors))


def _user_codes(data: Any) -> list[str]:
    """The codes of what mutations refused, as data."""
    payloads = [payload for payload in (data or {}).values() if isinstance(payload, dict)]
    return [error["code"] for payload in payloads for error in payload.get("userErrors") or [] if "code" in error]


def reduced(document: str, still: Callable[[str], bool], tries: int = 150) -> str:
    """The document with all left out that the fault does not need. What can't be repeated stays as it is."""
    least = document
    if not still(document):
        return least
    place = 0
    while tries > 0:
        smaller = _without(least, place)
        if smaller is None:
            return least
        tries -= 1
        if still(smaller):
            least = smaller
        else:
            place += 1
    return least


def _without(document: str, place: int) -> str | None:
    """The document without its nth part that can be left out at all, outer ones first."""

    class Cut(graphql.Visitor):
        """Counts parts, and removes one of them."""

        seen = -1

        def enter(self, node: ast.Node, _key: Any, siblings: Any, *_: Any) -> Any:
            is_one_of_many = isinstance(node, ast.SelectionNode) and len(siblings) > 1
            if not (isinstance(node, ast.ArgumentNode | ast.ObjectFieldNode) or is_one_of_many):
                return None
            self.seen += 1
            return graphql.REMOVE if self.seen == place else None

    cut = Cut()
    smaller = graphql.print_ast(graphql.visit(graphql.parse(document), cut))
    return smaller if cut.seen >= place else None
