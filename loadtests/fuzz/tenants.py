"""What a tenant holds, read through the API by its admin, so that an answer can be searched for what is another's."""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import graphql

from server import Server

UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_ID = re.compile(rf"([a-zA-Z]+):({UUID.pattern})")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{40,}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
# Shorter texts turn up by chance.
_DISTINCTIVE = 6
PAGE = 50


@dataclass
class Tenant:
    """All that an admin reads: ids by kind, texts by the name of their field, cursors, and the records as they were."""

    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    cursors: list[str] = field(default_factory=list)
    records: dict[str, list[Any]] = field(default_factory=dict)

    def all_texts(self) -> set[str]:
        """Every text, whatever its field."""
        return {text for texts in self.texts.values() for text in texts}

    def uuids(self) -> set[str]:
        """Every id without its kind."""
        return {uuid for ids in self.ids.values() for id in ids for uuid in uuids_in(id)}


def uuids_in(text: str) -> set[str]:
    """The uuids of a text, also those within cursors, which are base64 of JSON."""
    whole = (word[: len(word) // 4 * 4] for word in _CURSOR.findall(text))
    inner = [base64.urlsafe_b64decode(word).decode("latin-1") for word in whole]
    return {uuid.replace("-", "").lower() for each in [text, *inner] for uuid in UUID.findall(each)}


def strings_in(value: Any) -> Iterator[str]:
    """Every text of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings_in(each)


def read(server: Server, token: str, schema: graphql.GraphQLSchema) -> Tenant:
    """Reads all pages of all lists. What is asked for follows from the schema, so a new list comes along."""
    tenant = Tenant()
    assert schema.query_type
    for name, root in sorted(schema.query_type.fields.items()):
        connection = graphql.get_named_type(root.type)
        if not isinstance(connection, graphql.GraphQLObjectType) or not connection.name.endswith("Connection"):
            continue
        node = graphql.get_named_type(connection.fields["nodes"].type)
        archived = ", includeArchived: true" if "includeArchived" in root.args else ""
        document = (
            f"query ($after: String) {{ {name}(first: {PAGE}, after: $after{archived}) {{"
            f" nodes {{ {_leaves(schema, node)} }} pageInfo {{ hasNextPage endCursor startCursor }} }} }}"
        )
        tenant.records[name] = list(_pages(server, token, name, document, tenant))
        for record in tenant.records[name]:
            _take(tenant, schema, node, record)
    answer = server.post(token, "{ tenant { id name slug } viewerAccount { name email } }").json()["data"]
    _take(tenant, schema, schema.type_map["Tenant"], answer["tenant"])
    for kind, ids in tenant.ids.items():
        tenant.ids[kind] = sorted(set(ids))
    for label, texts in tenant.texts.items():
        tenant.texts[label] = sorted(set(texts))
    return tenant


def distinctive(tenant: Tenant, other: Tenant) -> set[str]:
    """The texts of a tenant that don't occur in another one, nor within one of its texts."""
    haystack = "\n".join(other.all_texts())
    long = (text for text in tenant.all_texts() if len(text) >= _DISTINCTIVE and not _DAY.match(text))
    return {text for text in long if text not in haystack}


def _leaves(schema: graphql.GraphQLSchema, node: graphql.GraphQLNamedType, depth: int = 0) -> str:
    """What has no fields of its own, down through values such as money; of other records only their id."""
    assert isinstance(node, (graphql.GraphQLObjectType, graphql.GraphQLInterfaceType))
    chosen = []
    for name, each in node.fields.items():
        target = graphql.get_named_type(each.type)
        if each.args or target.name.endswith("Connection"):
            continue
        if graphql.is_leaf_type(target):
            chosen.append(name)
        elif isinstance(target, graphql.GraphQLObjectType) and "id" in target.fields and depth < 2:
            is_record = any(interface.name == "Node" for interface in target.interfaces)
            chosen.append(f"{name} {{ id }}" if is_record else f"{name} {{ {_leaves(schema, target, depth + 1)} }}")
        elif isinstance(target, graphql.GraphQLObjectType) and depth < 1:
            chosen.append(f"{name} {{ {_leaves(schema, target, depth + 1)} }}")
    return " ".join(chosen) or "__typename"


def _pages(server: Server, token: str, name: str, document: str, tenant: Tenant) -> Iterator[Any]:
    after = None
    while True:
        answer = server.post(token, document, {"after": after}).json()
        if answer.get("errors"):
            raise SystemExit(f"could not read {name}: {answer['errors']}\n{document}")
        page = answer["data"][name]
        yield from page["nodes"]
        info = page["pageInfo"]
        if info["endCursor"] and len(tenant.cursors) < 60 and (after is None or len(tenant.cursors) % 2):
            tenant.cursors.append(info["endCursor"])
        if not info["hasNextPage"]:
            return
        after = info["endCursor"]


def _take(tenant: Tenant, schema: graphql.GraphQLSchema, type_: graphql.GraphQLNamedType, record: Any) -> None:
    """Keeps ids and texts of a record; days, times and enums are the same in both tenants."""
    if isinstance(record, list):
        for each in record:
            _take(tenant, schema, type_, each)
    if not isinstance(record, dict):
        return
    assert isinstance(type_, (graphql.GraphQLObjectType, graphql.GraphQLInterfaceType))
    for name, value in record.items():
        target = graphql.get_named_type(type_.fields[name].type)
        if target.name == "ID":
            for text in strings_in(value):
                if match := _ID.fullmatch(text):
                    tenant.ids[match[1]].append(text)
        elif target.name in ("String", "JSON"):
            tenant.texts[name].extend(text for text in strings_in(value) if not UUID.search(text))
        elif not graphql.is_leaf_type(target):
            _take(tenant, schema, target, value)
