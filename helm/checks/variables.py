"""Every variable of docs/configuration.md has its place in the schema and arrives in the environment of a pod."""

import re
import subprocess

import yaml

from chart import ROOT, case, cases, executable, objects, own, pods, render, schema

# What no server reads that somebody else started.
NOT_SERVED = {"DEALGRAPH_PG_BIN"}
OWNER = "DEALGRAPH_OWNER_DATABASE_URL"


def table():
    """The product's variables: name, default and meaning."""
    page = (ROOT / "docs/configuration.md").read_text()
    rows = re.findall(r"(?m)^\| `(DEALGRAPH_\w+)` \| (?:`(.*?)`)? ?\| (.*) \|$", page)
    return {name: (default, meaning) for name, default, meaning in rows}


def places():
    """The variables that values can set, by where."""
    known = schema()["properties"]
    return {
        "config": set(known["config"]["properties"]),
        "secrets.env": set(known["secrets"]["properties"]["env"]["properties"]),
        "secrets.values": set(known["secrets"]["properties"]["values"]["properties"]),
        "files": set(known["files"]["properties"]),
        "listen": {"DEALGRAPH_LISTEN"},
        "metrics": {"DEALGRAPH_METRICS_LISTEN"},
    }


def every_variable_of_the_server_can_be_set():
    product = set(table()) - NOT_SERVED
    if len(product) < 50:
        yield f"docs/configuration.md has only {len(product)} variables"
    by_place = places()
    if by_place["secrets.env"] != by_place.pop("secrets.values"):
        yield "secrets.env and secrets.values are not of the same variables"
    settable = [name for names in by_place.values() for name in names]
    yield from (f"the schema has no {name}" for name in product - set(settable))
    yield from (f"the schema has {name}, and the server has not" for name in set(settable) - product)
    yield from (f"{name} has two places" for name in product if settable.count(name) > 1)
    for name in by_place["config"]:
        if re.search(r"_SECRET$|_KEYS$|(DATABASE|REDIS|MAIL)_URL$", name):
            yield f"{name} is a secret, and config is no place for it"


def every_variable_reaches_the_process_that_reads_it():
    path = case("everything")
    found = {name for _, variables in environments(path) for name in variables}
    yield from (f"{path.name} does not set {name}" for name in set(table()) - NOT_SERVED - found)
    unset = places()["config"] - set(yaml.safe_load(path.read_text())["config"])
    yield from (f"{path.name} does not set config.{name}" for name in unset)
    for path in cases():
        for made, variables in environments(path):
            ours = [name for name in variables if name.startswith("DEALGRAPH_")]
            yield from (f"{path.name}, {made['kind']}: {name} is unknown" for name in set(ours) - set(table()))


def bare_words_and_numbers_of_yaml_arrive_as_the_server_reads_them():
    # As files give them, by both Helms, and as --set does.
    config = yaml.safe_load(case("single").read_text())["config"]
    if config["DEALGRAPH_LOG"] is not False or config["DEALGRAPH_INTROSPECTION"] is not False:
        yield "single.yaml no longer has bare words"
    wanted = {
        "DEALGRAPH_INTROSPECTION": "off",
        "DEALGRAPH_CACHE_BYTES": "67108864",
        "DEALGRAPH_LOG": "off",
        "DEALGRAPH_SESSION_TTL_S": "31536000",
        "DEALGRAPH_EXPLORER": "on",
        "DEALGRAPH_TRUST_FORWARDED_FOR": "off",
        "DEALGRAPH_LIMIT_NODES": "1000000",
        "DEALGRAPH_POOL_SIZE": "auto",
        "DEALGRAPH_TRACE_RATIO": "0.25",
    }
    also = (
        "--set=config.DEALGRAPH_SESSION_TTL_S=31536000,config.DEALGRAPH_EXPLORER=true",
        "--set=config.DEALGRAPH_TRUST_FORWARDED_FOR=false",
        "--set-string=config.DEALGRAPH_LIMIT_NODES=1000000",
        "--set-json=config.DEALGRAPH_TRACE_RATIO=0.25",
    )
    for major in ("3", "4"):
        for _, variables in environments(case("single"), major, also):
            got = {name: variables[name].get("value") for name in wanted if name in variables}
            if got != wanted:
                yield f"Helm {major}: {got}"


def the_owners_login_is_with_the_migration_and_the_purge_alone():
    for path in cases():
        for made, variables in environments(path):
            if (OWNER in variables) != (made["kind"] in ("Job", "CronJob")):
                yield f"{path.name}: the owner's login and the {made['kind']}"
            for name, variable in variables.items():
                if name in places()["secrets.env"] and "value" in variable:
                    yield f"{path.name}: {name} stands in the {made['kind']} as it is"


def the_schema_takes_what_the_server_takes():
    """Asks the server itself, where one is built: it tells of every variable that it does not take."""
    server = executable()
    if not server:
        print("       no executable is built here, so that ranges are not held against it")
        return
    listed = subprocess.run([server, "--help"], capture_output=True, text=True).stdout
    if not set(table()) <= set(re.findall(r"DEALGRAPH_\w+", listed)):
        print(f"       {server} is older than docs/configuration.md, so that ranges are not held against it")
        return
    numbers = {}
    for name, entry in schema()["properties"]["config"]["properties"].items():
        ranges = [one for one in entry.get("anyOf", []) if one.get("type") == "integer"]
        if ranges:
            numbers[name] = (ranges[0]["minimum"], ranges[0]["maximum"])
    if len(numbers) < 30:
        yield f"the schema has only {len(numbers)} numbers"
    for end, beyond in ((0, -1), (1, 1)):
        inside = {name: str(limits[end]) for name, limits in numbers.items()}
        outside = {name: str(limits[end] + beyond) for name, limits in numbers.items()}
        yield from (f"the server refuses {name}={inside[name]}" for name in refused(server, inside))
        yield from (f"the server takes {name}={outside[name]}" for name in set(outside) - refused(server, outside))
    for path in cases():
        for made, variables in environments(path):
            given = {name: variable["value"] for name, variable in variables.items() if "value" in variable}
            yield from (f"{path.name}: the server refuses {name}" for name in refused(server, given) if name in given)


def refused(server, variables):
    """The variables that are wrong; `migrate` without its login looks at all of them and connects to nothing."""
    answer = subprocess.run([server, "migrate"], env=variables, capture_output=True, text=True)
    assert "DEALGRAPH_OWNER_DATABASE_URL: found nothing" in answer.stderr, answer.stderr
    return set(re.findall(r"(?m)^  (DEALGRAPH_\w+): ", answer.stderr)) - {OWNER}


def environments(path, major="4", also=()):
    """The variables of server and migration."""
    for made, spec, _ in pods(objects(render(path, major, also=also))):
        for container in own(spec):
            if "env" in container:
                names = [variable["name"] for variable in container["env"]]
                assert len(names) == len(set(names)), f"{path.name}: a variable is set twice"
                yield made, {variable["name"]: variable for variable in container["env"]}
