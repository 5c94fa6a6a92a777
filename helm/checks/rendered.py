"""What both Helms make of the cases, held against each other and against the snapshots."""

import difflib

from chart import CHART, HELMS, SNAPSHOTS, VERSIONS, case, cases, helm, ordered, render

OLDEST = VERSIONS[0]
OLD_GATEWAY = ("gateway.networking.k8s.io/v1beta1",)


def both_helms_lint_every_case():
    for path in cases():
        for major in HELMS:
            answer = helm(major, "lint", "--strict", str(CHART), "--values", str(path))
            if answer.returncode or "WARNING" in answer.stdout:
                yield f"Helm {major}, {path.name}: {answer.stdout}{answer.stderr}"


def both_helms_make_the_same_of_every_case():
    for path in cases():
        for version in VERSIONS:
            three, four = (ordered(render(path, major, version)) for major in ("3", "4"))
            if three != four:
                yield f"{path.name} for {version}:\n{difference(three, four)}"


def what_is_made_is_what_was_reviewed():
    for name, text in snapshots().items():
        yield from reviewed(name, text)


def the_notes_are_what_was_reviewed():
    for name, text in notes().items():
        yield from reviewed(name, text)


def reviewed(name, text):
    file = SNAPSHOTS / name
    before = file.read_text() if file.exists() else ""
    if before != text:
        yield f"{name}; UPDATE=1 writes it anew:\n{difference(before, text)}"


def snapshots():
    """Each case for the newest Kubernetes, and the largest one for the oldest, which takes other ways."""
    made = {path.name: ordered(render(path)) for path in cases()}
    made[f"everything-{OLDEST}.yaml"] = ordered(render(case("everything"), "4", OLDEST, OLD_GATEWAY))
    return made


def notes():
    made = {}
    for path in cases():
        # A dry run of the client asks no cluster.
        given = ["--values", str(path), "--namespace", "crm", "--dry-run=client"]
        answer = helm("4", "install", "release", str(CHART), *given)
        if answer.returncode:
            raise SystemExit(f"{path.name}: {answer.stderr}")
        made[f"{path.stem}.notes.txt"] = answer.stdout.partition("\nNOTES:\n")[2]
    return made


def update():
    SNAPSHOTS.mkdir(exist_ok=True)
    for file in SNAPSHOTS.iterdir():
        file.unlink()
    for name, text in {**snapshots(), **notes()}.items():
        (SNAPSHOTS / name).write_text(text)


def difference(before, after):
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))
