"""The chart's README, made of the comments in values.yaml and the schema, and the schema's words on variables."""

import functools
import json
import re

import yaml

import variables
from chart import CHART, ROOT, schema

README = CHART / "README.md"
SCHEMA = CHART / "values.schema.json"
HEAD = """# The chart `dealgraph`

Dealgraph on Kubernetes: servers, the migration before them, and what they need to be reached, watched and kept apart.
[docs/operators/helm.md](../../docs/operators/helm.md) says how to install and update it.

`helm/test` makes this page of values.yaml and values.schema.json: `UPDATE=1 helm/test`.
"""


def the_readme_and_the_schema_say_what_the_values_and_the_product_say():
    for file, text in made().items():
        if file.read_text() != text:
            yield f"{file.relative_to(ROOT)} is stale; UPDATE=1 writes it anew"


def every_value_is_explained_and_known_to_the_schema():
    rows = explained()
    paths = {path for path, _, _ in rows}
    for path, value in leaves(values()):
        if not any(path == known or path.startswith(f"{known}.") for known in paths):
            yield f"values.yaml does not say what {path} is"
    known = schema()
    for path, _, _ in rows:
        node = known
        for part in path.split("."):
            node = node.get("properties", {}).get(part) if node else None
        if node is None:
            yield f"the schema has no {path}"
    yield from loose(known, "values")
    top = set(known["properties"]) - set(values()) - {"global"}
    if top:
        yield f"values.yaml lacks {top}"


def loose(node, path):
    """Objects of the schema that take any member are those of Kubernetes, which has its own schema, or texts by name."""
    if "properties" in node and node.get("additionalProperties") is not False and "extraEnv" not in path:
        yield f"{path} takes what is misspelt"
    for name, child in node.get("properties", {}).items():
        yield from loose(child, f"{path}.{name}")


def the_chart_is_of_this_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    product = re.search(r'(?m)^version = "(.*)"$', (ROOT / "Cargo.toml").read_text())[1]
    if chart["appVersion"] != product:
        yield f"appVersion is {chart['appVersion']}, and Cargo.toml says {product}"


def update():
    for file, text in made().items():
        file.write_text(text)


def made():
    known = described(schema())
    return {SCHEMA: json.dumps(known, indent=2, ensure_ascii=False) + "\n", README: readme(known)}


def described(known):
    """The schema, with the product's words on its variables. One that it lacks is taken as a text, to be made stricter."""
    properties = known["properties"]
    elsewhere = {name for place, names in variables.places().items() if place != "config" for name in names}
    for name, (default, meaning) in variables.table().items():
        words = meaning.replace("`", "")
        if name in elsewhere or name in variables.NOT_SERVED:
            for place in (properties["secrets"]["properties"]["env"], properties["files"]):
                if name in place["properties"]:
                    place["properties"][name]["description"] = words
            continue
        entry = properties["config"]["properties"].setdefault(name, {"type": "string"})
        entry["description"] = words + (f" [{default}]" if default else "")
    return known


def readme(known):
    lines = [HEAD, "## Values", "", "| Value | Default | Meaning |", "|---|---|---|"]
    lines += [f"| `{path}` | {f'`{default}`' if default else ''} | {words} |" for path, default, words in explained()]
    lines += [
        "",
        "## Settings of the server",
        "",
        "What `config` may have. The default in brackets is the server's own; what is not set is not in the pod either.",
        "",
        "| Variable | Meaning |",
        "|---|---|",
    ]
    config = known["properties"]["config"]["properties"]
    lines += [f"| `{name}` | {entry['description']} |" for name, entry in config.items()]
    return "\n".join(lines) + "\n"


@functools.lru_cache(maxsize=None)
def values():
    return yaml.safe_load((CHART / "values.yaml").read_text())


def explained():
    """The values that have a comment: path, default and the comment."""
    rows, words, parents = [], [], []
    for line in (CHART / "values.yaml").read_text().splitlines():
        comment = re.fullmatch(r" *# ?(.*)", line)
        if comment:
            words.append(comment[1])
            continue
        key = re.match(r"( *)([\w.]+):", line)
        if key:
            depth = len(key[1])
            parents = [parent for parent in parents if parent[0] < depth] + [(depth, key[2])]
            if words:
                rows.append((".".join(name for _, name in parents), " ".join(words)))
        words = []
    paths = [path for path, _ in rows]
    whole = {path for path in paths if not any(other.startswith(f"{path}.") for other in paths)}
    return [(path, default_of(path) if path in whole else "", words) for path, words in rows]


def default_of(path):
    """A default as the README shows it; longer ones are to be seen in values.yaml."""
    node = values()
    for part in path.split("."):
        node = node[part]
    if node in ("", None):
        return ""
    shown = node if isinstance(node, str) else json.dumps(node)
    return shown if len(shown) < 60 else "…"


def leaves(node, path=""):
    if not isinstance(node, dict) or not node:
        yield path, node
        return
    for name, child in node.items():
        yield from leaves(child, f"{path}.{name}" if path else name)
