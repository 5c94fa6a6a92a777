"""The chart, the cases that it is tried with, and what Helm makes of them."""

import functools
import json
import os
import re
import subprocess
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parent.parent
ROOT = FOLDER.parent
CHART = FOLDER / "dealgraph"
SNAPSHOTS = FOLDER / "snapshots"
HELMS = {"3": os.environ["HELM3"], "4": os.environ["HELM4"]}
# The oldest that the chart takes, the first whose kubelet sleeps by itself, and the newest of the schemas.
VERSIONS = ["1.27", "1.30", "1.34", "1.37"]
NEWEST = VERSIONS[-1]
# The same as SafeLoader, and faster where PyYAML has it.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What a cluster of today has beside Kubernetes itself.
APIS = ["gateway.networking.k8s.io/v1", "monitoring.coreos.com/v1"]


def executable():
    """The executable of the product that DEALGRAPH names, or the newest that was built here, if there is one."""
    if os.environ.get("DEALGRAPH"):
        return Path(os.environ["DEALGRAPH"]).resolve()
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    built = [file for file in (target / "release/dealgraph", target / "debug/dealgraph") if file.exists()]
    return max(built, key=lambda file: file.stat().st_mtime, default=None)


def cases():
    return sorted((FOLDER / "cases").glob("*.yaml"))


def case(name):
    return FOLDER / "cases" / f"{name}.yaml"


def helm(major, *arguments):
    """Runs Helm, and gives its answer."""
    return subprocess.run([HELMS[major], *arguments], capture_output=True, text=True)


@functools.lru_cache(maxsize=None)
def render(path, major="4", version=NEWEST, apis=tuple(APIS), also=()):
    """What `helm template` makes of a case, as text."""
    # The answers are the same for whoever has the chart elsewhere: Helm names files below the chart's name only.
    given = ["--values", str(path), "--namespace", "crm", "--kube-version", f"v{version}.0"]
    for api in apis:
        given += ["--api-versions", api]
    answer = helm(major, "template", "release", str(CHART), *given, *also)
    if answer.returncode:
        raise SystemExit(f"Helm {major} does not render {path.name}: {answer.stderr}")
    return answer.stdout


def objects(text):
    return [made for made in yaml.load_all(text, Loader=LOADER) if made]


def ordered(text):
    """The objects in an order that does not depend on Helm's version."""
    parts = [part.strip("\n") for part in re.split(r"(?m)^---$", text) if part.strip()]
    return "".join(f"---\n{part}\n" for part in sorted(parts, key=place))


def place(part):
    (made,) = objects(part)
    return made["kind"], made["metadata"]["name"]


def schema():
    return json.loads((CHART / "values.schema.json").read_text())


def pod_of(made):
    """The specification of the pods that an object makes, if it makes some, and their labels."""
    if made["kind"] == "Pod":
        return made["spec"], made["metadata"]["labels"]
    spec = made.get("spec", {})
    template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
    return (template["spec"], template["metadata"]["labels"]) if template else (None, None)


def pods(made):
    """Every object of a list that makes pods: itself, their specification and their labels."""
    for one in made:
        spec, labels = pod_of(one)
        if spec:
            yield one, spec, labels


def own(spec):
    """The containers of a pod that are the chart's own, and not a value's."""
    return [one for one in spec["containers"] if one["name"] in ("dealgraph", "migrate", "purge", "health")]


def called(made):
    return f"{made['kind']} {made['metadata']['name']}"
