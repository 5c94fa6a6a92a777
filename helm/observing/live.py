"""A server with a Postgres, a Redis and demo data of its own, under a little traffic, and a Prometheus that scrapes it and goes
by the rules. All of it is gone afterwards."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from files import PROMETHEUS, RULES, SERVER

START_S, STOP_S = 180, 60
ADMIN = ("--email", "admin@maven.example", "--tenant", "maven")
BOARD = "query Board { opportunities(first: 50) { nodes { name amount { amountMinor } stage { name } } } }"
# What becomes of it: an answer, one that is wrong, a write, and one that Postgres refuses the second time.
DOCUMENTS = [
    BOARD,
    "query Wrong { nothing }",
    'mutation { contactCreate(input: { firstName: "Ada", lastName: "Watched" }) { userErrors { code } } }',
    'mutation { roleCreate(input: { name: "Watcher", permissions: ["opportunities:read:own"] }) { userErrors { code } } }',
]
FOLLOW = "subscription { contactEvents { __typename } }"


class Live:
    """Where the server's metrics and Prometheus are."""

    def __init__(self, server, metrics_port, prometheus_port):
        self._server = server
        self.metrics = f"http://127.0.0.1:{metrics_port}"
        self._prometheus = f"http://127.0.0.1:{prometheus_port}"

    def end_server(self):
        """Ends the server, and says with what it ended."""
        self._server.send_signal(signal.SIGTERM)
        return self._server.wait(STOP_S)

    def scrape(self):
        return get(f"{self.metrics}/metrics")

    def api(self, path, **arguments):
        """An answer of Prometheus, or what it says is wrong."""
        try:
            answer = get(f"{self._prometheus}/api/v1/{path}?{urllib.parse.urlencode(arguments)}")
        except urllib.error.HTTPError as refused:
            return None, json.loads(refused.read())["error"]
        return json.loads(answer)["data"], None

    def series(self):
        """The labels of all series that Prometheus has of the server, by the name of their metric."""
        found, _ = self.api("series", **{"match[]": '{job="dealgraph"}'})
        by_name = {}
        for labels in found:
            by_name.setdefault(labels["__name__"], []).append(labels)
        return by_name


@contextlib.contextmanager
def running(seconds):
    """A server and a Prometheus that have been at work for so many seconds."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dg-", ignore_cleanup_errors=True)))
        # Postgres that root starts runs as another account, which has to get in.
        folder.chmod(0o755)
        data = folder / "data"
        dev, public, metrics, prometheus = ports(4)
        stack.enter_context(process(folder / "dev.log", [SERVER, "dev", "--port", str(dev), "--data-dir", str(data)]))
        wait(f"http://127.0.0.1:{dev}/health/ready", folder / "dev.log")
        sockets, key = data / "run", (data / "state/encryption.key").read_text().strip()
        settings = {
            "DEALGRAPH_LISTEN": f"127.0.0.1:{public}",
            "DEALGRAPH_METRICS_LISTEN": f"127.0.0.1:{metrics}",
            "DEALGRAPH_DATABASE_URL": f"postgres://dealgraph_app@localhost/dealgraph?host={sockets}",
            "DEALGRAPH_SYSTEM_DATABASE_URL": f"postgres://dealgraph_system@localhost/dealgraph?host={sockets}",
            "DEALGRAPH_REDIS_URL": f"redis+unix://{sockets}/redis.sock",
            "DEALGRAPH_ENCRYPTION_KEYS": key,
            "DEALGRAPH_METRICS_OPERATIONS": "Board",
            "DEALGRAPH_DRAIN_WAIT_S": "0",
        }
        environment = {"PATH": os.environ["PATH"], **settings}
        server = stack.enter_context(process(folder / "serve.log", [SERVER, "serve"], environment))
        wait(f"http://127.0.0.1:{metrics}/health/ready", folder / "serve.log")
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "dealgraph", "static_configs": [{"targets": [f"127.0.0.1:{metrics}"]}]}],
        }
        # JSON is YAML.
        (folder / "prometheus.yml").write_text(json.dumps(config))
        command = [
            PROMETHEUS,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/series",
            f"--web.listen-address=127.0.0.1:{prometheus}",
        ]
        stack.enter_context(process(folder / "prometheus.log", command))
        wait(f"http://127.0.0.1:{prometheus}/-/ready", folder / "prometheus.log")
        use(f"http://127.0.0.1:{public}/graphql", token(data), seconds)
        yield Live(server, metrics, prometheus)


def ports(count):
    """Free ones. They are taken together, so that no two are the same."""
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]


@contextlib.contextmanager
def process(log, command, environment=None):
    with log.open("wb") as out:
        # In a group of its own, so that Ctrl-C reaches it through us.
        running = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(STOP_S)
        except subprocess.TimeoutExpired:
            running.kill()


def wait(url, log):
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            get(url)
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"{url} did not answer in {START_S} s:\n{log.read_text(errors='replace')[-3_000:]}")


def token(data):
    command = [SERVER, "token", *ADMIN, "--data-dir", str(data)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def use(url, bearer, seconds):
    """Asks for so many seconds, beside somebody who follows what is written."""
    following = post(url, bearer, FOLLOW, "text/event-stream")
    reader = threading.Thread(target=lambda: [None for _ in following], daemon=True)
    reader.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for document in DOCUMENTS:
            post(url, bearer, document, "application/json").read()
        time.sleep(0.2)


def post(url, bearer, document, accept):
    headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json", "accept": accept}
    body = json.dumps({"query": document}).encode()
    return urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60)


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()
