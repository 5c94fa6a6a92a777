"""What is sent. Schemathesis makes documents of random values, of which a CRM refuses nearly all: an id is of the wrong
kind, a page is negative, a currency is none. So its documents are aimed: in most places where only few values mean
anything, one that does is put in, of the person's own tenant or of the other one, and the rest stays random. And they
are grown, because most of them ask for little more than a count."""

from __future__ import annotations

import uuid
from random import Random
from typing import Any

import graphql
import schemathesis
from graphql import language as ast
from hypothesis import strategies as st
from schemathesis.graphql import nodes

from tenants import Tenant

EXCLUDED = {
    "tenantScheduleDeletion": "from then on everything answers TENANT_DELETING, and nothing else would be tested",
}
# What an argument names, where its own name and the types around it don't say.
_KINDS = {
    "ownerId": "user",
    "successorId": "user",
    "reportsToId": "contact",
    "primaryContactId": "contact",
    "parentCompanyId": "company",
    "customRoleId": "role",
    "afterId": "opportunity",
    "beforeId": "opportunity",
    "CustomRoleFilter": "role",
}
# More ids of the other tenant than these are never sent, so that they can't come back for having been sent.
_BAITS = 40
# Where documents stop to grow; the server refuses what is deeper than 12.
_DEEPEST = 7


def _selected(text: str) -> list[ast.SelectionNode]:
    """Selections, of their text."""
    operation = graphql.parse(f"{{ {text} }}", no_location=True).definitions[0]
    assert isinstance(operation, ast.OperationDefinitionNode)
    return list(operation.selection_set.selections)


def register_scalars() -> None:
    """Registers with schemathesis the scalars that it does not know, or would fill with what is never valid."""
    whole = st.one_of(st.integers(0, 10_000_000), st.integers(-(2**53) + 1, 2**53 - 1), st.integers(-(2**70), 2**70))
    times = st.datetimes()
    json = st.recursive(st.none() | st.booleans() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2))
    scalars = {
        "BigInt": whole.map(nodes.Int),
        "EventCursor": st.text(max_size=40).map(nodes.String),
        "JSON": json.map(str).map(nodes.String),
        "Date": st.one_of(st.dates().map(str), st.text(max_size=12)).map(nodes.String),
        "DateTime": st.one_of(times.map(lambda at: f"{at.isoformat()}Z"), st.text(max_size=30)).map(nodes.String),
        "ID": st.one_of(st.text(max_size=50), st.uuids().map(lambda id: f"company:{id}")).map(nodes.String),
    }
    for name, strategy in scalars.items():
        schemathesis.graphql.scalar(name, strategy)


class Aim:
    """What cases are aimed at: values of the person's tenant, and baits of the other one."""

    def __init__(self, schema: graphql.GraphQLSchema, own: Tenant, other: Tenant, spared: set[str]) -> None:
        self.schema = schema
        self.texts = {name: texts[:200] for name, texts in own.texts.items() if texts}
        self.cursors = own.cursors + other.cursors[:_BAITS]
        self.own = {kind: [id for id in ids if id not in spared][:500] for kind, ids in own.ids.items()}
        self.baits = {kind: ids[:_BAITS] for kind, ids in other.ids.items()}
        self.kinds = sorted({*self.own, *self.baits, "role", "apiKey", "invitation", "session"}, key=len, reverse=True)

    def cases(self, operation: Any) -> st.SearchStrategy[str]:
        """Documents of one field of the schema's roots."""

        @st.composite
        def documents(draw: st.DrawFn) -> str:
            case = draw(operation.as_strategy())
            # A seed of Hypothesis and not its draws, which lean to the first of what is to choose from. The document
            # is part of it, because Hypothesis begins each field with the seed 0.
            return self.at(case.body, Random(f"{draw(st.integers(0, 2**32))} {case.body}"))

        return documents()

    def at(self, document: str, random: Random) -> str:
        """A document with some of its values replaced."""
        info = graphql.TypeInfo(self.schema)
        visitor = graphql.TypeInfoVisitor(info, _Aiming(self, info, random))
        return graphql.print_ast(graphql.visit(graphql.parse(document), visitor))


class _Aiming(graphql.Visitor):
    """Goes through a document and replaces. `words` says where it is: fields, arguments and their types."""

    def __init__(self, aim: Aim, info: graphql.TypeInfo, random: Random) -> None:
        super().__init__()
        self.aim, self.info, self.random = aim, info, random
        self.words: list[tuple[str, str]] = []
        self.depth = 0

    def enter_field(self, node: ast.FieldNode, *_: Any) -> ast.FieldNode | None:
        self.words.append((node.name.value, ""))
        self.depth += 1
        definition = self.info.get_field_def()
        if definition is None:
            return None
        arguments = list(node.arguments or ())
        if "first" in definition.args:
            arguments = self.page(arguments, "last" in definition.args)
        selections = node.selection_set
        output = graphql.get_named_type(definition.type)
        if isinstance(output, graphql.GraphQLObjectType) and selections:
            added = self.grown(output, selections)
            if "userErrors" in output.fields:
                # Without them nobody would know whether the mutation was refused.
                added += _selected("userErrors { code }")
            selections = ast.SelectionSetNode(selections=(*selections.selections, *added))
        return ast.FieldNode(
            alias=node.alias,
            name=node.name,
            arguments=tuple(arguments),
            directives=node.directives,
            selection_set=selections,
        )

    def grown(self, type_: graphql.GraphQLObjectType, selections: ast.SelectionSetNode) -> list[ast.SelectionNode]:
        """Further fields of a record or list. They are visited after this, and so get arguments and grow themselves."""
        there = {each.name.value for each in selections.selections if isinstance(each, ast.FieldNode)}
        free = [
            name
            for name, each in type_.fields.items()
            if name not in there and not any(graphql.is_required_argument(argument) for argument in each.args.values())
        ]
        wanted = self.random.sample(free, min(len(free), self.random.randint(0, 3) if self.depth < _DEEPEST else 0))
        if "nodes" in free and self.depth < _DEEPEST and self.random.random() < 0.8:
            wanted = [*{*wanted, "nodes"} - {"edges"}]
        are_leaves = {name: graphql.is_leaf_type(graphql.get_named_type(type_.fields[name].type)) for name in wanted}
        return [
            each
            for name in sorted(wanted)
            for each in _selected(name if are_leaves[name] else f"{name} {{ __typename }}")
        ]

    def leave_field(self, *_: Any) -> None:
        self.words.pop()
        self.depth -= 1

    def enter_argument(self, node: ast.ArgumentNode, *_: Any) -> None:
        self.words.append((node.name.value, str(graphql.get_named_type(self.info.get_input_type()))))

    def leave_argument(self, *_: Any) -> None:
        self.words.pop()

    def enter_object_field(self, node: ast.ObjectFieldNode, *_: Any) -> None:
        self.words.append((node.name.value, str(graphql.get_named_type(self.info.get_input_type()))))

    def leave_object_field(self, *_: Any) -> None:
        self.words.pop()

    def enter_string_value(self, node: ast.StringValueNode, *_: Any) -> ast.ValueNode | None:
        scalar = graphql.get_named_type(self.info.get_input_type())
        if scalar == graphql.GraphQLID or getattr(scalar, "name", "") == "ID":
            return nodes.String(self.id(node.value))
        names = [name for name, _ in reversed(self.words)]
        if names[0] in ("after", "before") and "input" not in names:
            return nodes.String(self.random.choice([*self.aim.cursors, node.value]))
        known = next((self.aim.texts[name] for name in names[:2] if name in self.aim.texts), None)
        # A password that fits would sign a person in, also one of the other tenant.
        if getattr(scalar, "name", "") == "String" and known and self.random.random() < 0.7:
            return nodes.String(self.random.choice(known))
        return None

    def enter_int_value(self, *_: Any) -> ast.ValueNode | None:
        if self.words[-1][0] == "expectedVersion" and self.random.random() < 0.8:
            return self.random.choice([nodes.Null, nodes.Int(1)])
        return None

    def kind(self) -> str | None:
        """What kind of record an id is to name here, going outwards until a name or a type says it."""
        for name, type_ in reversed(self.words):
            for word in (name, type_):
                if word in _KINDS:
                    return _KINDS[word]
                found = next((kind for kind in self.aim.kinds if word.lower().startswith(kind.lower())), None)
                if found:
                    return found
        return None

    def id(self, generated: str) -> str:
        """An id that may be there for the person, of the other tenant, of nobody, of another kind, or none at all."""
        kind = self.kind() or self.random.choice(self.aim.kinds)
        way = self.random.random()
        if way > 0.97:
            return generated
        if way > 0.94:
            kind = self.random.choice(self.aim.kinds)
        pool = self.aim.baits if way < 0.25 else self.aim.own
        if way > 0.9 or not pool.get(kind):
            return f"{kind}:{uuid.UUID(int=self.random.getrandbits(128), version=4)}"
        return self.random.choice(pool[kind])

    def page(self, arguments: list[ast.ArgumentNode], backward: bool) -> list[ast.ArgumentNode]:
        """Pages that are small, because lists in lists multiply, and mostly from the beginning and of everything."""
        if self.random.random() < 0.1:
            return arguments
        left_out = {"first", "last", "before"}
        left_out |= {name for name, share in (("after", 0.85), ("filter", 0.7)) if self.random.random() < share}
        kept = [argument for argument in arguments if argument.name.value not in left_out]
        size = self.random.randint(0, 12 if self.depth == 1 else 3)
        name = "last" if backward and self.random.random() < 0.3 else "first"
        if name == "last":
            kept = [argument for argument in kept if argument.name.value != "after"]
        return [*kept, ast.ArgumentNode(name=ast.NameNode(value=name), value=nodes.Int(size))]
