"""Checks Dockerfile, compose.yaml and the workflows, without Docker and without GitHub: schemas, lints, and what they say of
the product. Each check is a function that yields what it found wrong. `make packaging` runs it with its requirements."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TOOLS = Path(sys.executable).parent
# The login that owns the tables.
OWNER = "DEALGRAPH_OWNER_DATABASE_URL"


def main():
    failed = 0
    for check in CHECKS:
        faults = list(check())
        failed += bool(faults)
        print(f"{'FAILED' if faults else 'ok':6} {check.__name__.replace('_', ' ')}", flush=True)
        for fault in faults:
            print(f"    {fault}")
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


def tool(name, *arguments, text=None):
    """Runs a program of the requirements, and yields what it says when it fails."""
    # jactionlint finds shellcheck on the path.
    environment = {"PATH": f"{TOOLS}:/usr/bin:/bin", "HOME": "/nonexistent", "NO_COLOR": "1"}
    command = [str(TOOLS / name), *map(str, arguments)]
    answer = subprocess.run(command, cwd=ROOT, env=environment, input=text, capture_output=True, text=True)
    if answer.returncode:
        yield (answer.stdout + answer.stderr).strip()


def compose():
    return YAML(typ="safe").load(ROOT / "compose.yaml")


def dockerfiles_are_clean():
    yield from tool("hadolint", ROOT / "Dockerfile")
    for service in compose()["services"].values():
        build = service.get("build")
        if isinstance(build, dict):
            yield from tool("hadolint", "-", text=build["dockerfile_inline"])


def the_image_has_the_features_that_are_tested():
    (features,) = re.findall(r"(?m)^SERVER = cargo (build .*)$", (ROOT / "Makefile").read_text())
    if features not in (ROOT / "Dockerfile").read_text():
        yield f"the Dockerfile does not `{features}` as the Makefile does"


def compose_yaml_fits_its_schema():
    yield from tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml")


def what_compose_yaml_names_is_there():
    made = compose()
    for name, service in made["services"].items():
        for other, wanted in service.get("depends_on", {}).items():
            waits = wanted["condition"] == "service_healthy"
            if other not in made["services"] or waits and "healthcheck" not in made["services"][other]:
                yield f"{name} waits for {other}, which is not there or has no health"
        yield from (
            f"{name} wants the config {used['source']}, which is not there"
            for used in service.get("configs", [])
            if used["source"] not in made["configs"]
        )
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if not (source in made["volumes"] or source.startswith("./") and (ROOT / source).exists()):
                yield f"{name} mounts {source}, which is not there"
        if "image" in service and service["image"] != "dealgraph" and not re.search(r":v?\d+\.?\d", service["image"]):
            yield f"{name} is of no version: {service['image']}"
    page = (ROOT / "docs/operators/install.md").read_text()
    secrets = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    yield from (f"docs/operators/install.md does not say how {name} is made" for name in secrets if name not in page)


def scripts_in_compose_yaml_are_clean():
    for service in compose()["services"].values():
        test = service.get("healthcheck", {}).get("test", [])
        if test[1:2] == ["bash"]:
            with tempfile.NamedTemporaryFile("w", suffix=".bash") as script:
                script.write("#!/usr/bin/env bash\n" + test[-1].replace("$$", "$"))
                script.flush()
                yield from tool("shellcheck", script.name)


def settings_in_compose_yaml_are_the_servers():
    known = set(re.findall(r"(?m)^\| `(DEALGRAPH_\w+)`", (ROOT / "docs/configuration.md").read_text()))
    if len(known) < 50:
        yield f"docs/configuration.md has only {len(known)} variables"
    for name, service in compose()["services"].items():
        settings = set(service.get("environment", {}))
        unknown = {setting for setting in settings if setting.startswith("DEALGRAPH_")} - known
        yield from (f"{name} sets {setting}, which the server does not know" for setting in unknown)
        if (OWNER in settings) != (name == "migrate"):
            yield f"the owner's login is the migration's alone, and not of {name}"


def prometheus_in_compose_yaml_asks_where_metrics_are():
    made = compose()
    server = made["services"]["dealgraph"]
    port = server["environment"]["DEALGRAPH_METRICS_LISTEN"].rpartition(":")[2]
    asked = YAML(typ="safe").load(made["configs"]["prometheus"]["content"])["scrape_configs"]
    ports = {str(found["port"]) for job in asked for found in job["dns_sd_configs"] if "dealgraph" in found["names"]}
    if ports != {port}:
        yield f"metrics are at {port}, and Prometheus asks at {ports}"
    if f"/dev/tcp/127.0.0.1/{port}" not in server["healthcheck"]["test"][-1]:
        yield f"the check of health does not ask at {port}, which has room when the port for clients is full"
    if any(port in published for published in server["ports"]):
        yield f"{port} is published"


def workflows_fit_their_schema():
    yield from tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)


def workflows_are_clean():
    # Actions are pinned by a version in full, which the last check holds; the hashes of commits are for who can look them up.
    yield from tool("jactionlint", "--strict-exit", "--ignore", "unpinned-uses", *WORKFLOWS)


def workflows_take_the_rust_and_the_commands_that_there_are():
    (rust,) = re.findall(r"(?m)^FROM rust:([\d.]+)-", (ROOT / "Dockerfile").read_text())
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    for path in WORKFLOWS:
        text = path.read_text()
        yield from (f"{path.name} takes Rust {named}" for named in re.findall(r'RUST: "(.*)"', text) if named != rust)
        made = re.findall(r"\bmake ([a-z-]+)", text)
        yield from (f"{path.name}: there is no make {target}" for target in set(made) - targets)
        yield from (
            f"{path.name}: {action} is not pinned by a version in full"
            for action in re.findall(r"uses: (\S+)", text)
            if not re.search(r"@v\d+\.\d+\.\d+$", action) and not action.startswith("./")
        )


CHECKS = [
    dockerfiles_are_clean,
    the_image_has_the_features_that_are_tested,
    compose_yaml_fits_its_schema,
    what_compose_yaml_names_is_there,
    scripts_in_compose_yaml_are_clean,
    settings_in_compose_yaml_are_the_servers,
    prometheus_in_compose_yaml_asks_where_metrics_are,
    workflows_fit_their_schema,
    workflows_are_clean,
    workflows_take_the_rust_and_the_commands_that_there_are,
]

sys.exit(main())
