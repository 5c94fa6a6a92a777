"""Objects held against the schemas of Kubernetes, and against each other."""

import functools
import json

import jsonschema
import kubernetes_validate
from kubernetes_validate import utils

from chart import FOLDER, VERSIONS, called, cases, objects, own, pods, render

# Every object would read megabytes of definitions again.
utils.schema_contents = functools.lru_cache(maxsize=None)(utils.schema_contents)
# Kinds that come with something else than Kubernetes.
OTHERS = {
    "HTTPRoute": json.loads((FOLDER / "schemas/httproute.json").read_text()),
    "ServiceMonitor": json.loads((FOLDER / "schemas/servicemonitor.json").read_text()),
    "PrometheusRule": json.loads((FOLDER / "schemas/prometheusrule.json").read_text()),
}


def every_object_fits_its_schema_in_every_version_of_kubernetes():
    seen = set()
    for path in cases():
        for version in VERSIONS:
            for made in objects(render(path, "4", version)):
                # Most are the same in several cases.
                key = (version, json.dumps(made, sort_keys=True))
                if key in seen:
                    continue
                seen.add(key)
                fault = validated(made, version)
                if fault:
                    yield f"{path.name} for {version}, {called(made)}: {fault}"
    if not {kind for _, text in seen for kind in [json.loads(text)["kind"]]} >= {*OTHERS, "Job", "CronJob", "Ingress"}:
        yield "the cases no longer make all kinds"


def validated(made, version):
    try:
        if made["kind"] in OTHERS:
            jsonschema.validate(made, OTHERS[made["kind"]])
        else:
            kubernetes_validate.validate(made, version, strict=True)
    except jsonschema.ValidationError as error:
        return f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
    return None


def what_objects_name_is_there():
    for path in cases():
        made = objects(render(path))
        names = {(one["kind"], one["metadata"]["name"]) for one in made}
        if len(names) != len(made):
            yield f"{path.name}: two objects have one name"
        for one in made:
            if one["metadata"]["namespace"] != "crm":
                yield f"{path.name}: {called(one)} is in no namespace of the release"
            if len(one["metadata"]["name"]) > 63:
                yield f"{path.name}: the name of {called(one)} is too long"
        for one, spec, _ in pods(made):
            volumes = {volume["name"] for volume in spec.get("volumes", [])}
            for container in own(spec):
                mounts = container.get("volumeMounts", [])
                yield from (
                    f"{path.name}: {called(one)} mounts {mount['name']}, which it has not"
                    for mount in mounts
                    if mount["name"] not in volumes
                )
                ports = {port["name"] for port in container.get("ports", [])}
                probes = (container.get(f"{kind}Probe") for kind in ("startup", "liveness", "readiness"))
                if {probe["httpGet"]["port"] for probe in probes if probe} - ports:
                    yield f"{path.name}: a probe asks a port that is none"
        yield from ours(path, made, names)


def ours(path, made, names):
    """Names that begin with the release's are of objects of the chart."""
    (server,) = (spec for one, spec, _ in pods(made) if one["kind"] == "Deployment")
    account = server["serviceAccountName"]
    if account != "default" and ("ServiceAccount", account) not in names:
        yield f"{path.name}: there is no account {account}"
    for volume in server.get("volumes", []):
        name = volume.get("configMap", {}).get("name", "")
        if name.startswith("release") and ("ConfigMap", name) not in names:
            yield f"{path.name}: there is no ConfigMap {name}"
    services = {one["metadata"]["name"]: one for one in made if one["kind"] == "Service"}
    for one in made:
        if one["kind"] == "Ingress":
            paths = [each for rule in one["spec"]["rules"] for each in rule["http"]["paths"]]
            asked = {each["backend"]["service"]["name"] for each in paths}
            shown = {each["path"] for each in paths}
        elif one["kind"] == "HTTPRoute":
            rules = one["spec"]["rules"]
            asked = {backend["name"] for rule in rules for backend in rule["backendRefs"]}
            shown = {match["path"]["value"] for rule in rules for match in rule["matches"]}
        else:
            continue
        if asked - set(services):
            yield f"{path.name}: {called(one)} leads to {asked}"
        if any("metrics" in name or services[name]["spec"].get("clusterIP") == "None" for name in asked):
            yield f"{path.name}: {called(one)} leads to the operator's port"
        # Where all begins is fine as an exact path, and what begins with it is not.
        if {"/metrics", "/health", "/health/live", "/health/ready"} & shown:
            yield f"{path.name}: {called(one)} shows what is the operator's"
