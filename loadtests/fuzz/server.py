"""A server of our own, with its own Postgres, Redis and demo data, that is gone afterwards whatever happens."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

START_S = 180
STOP_S = 60


class Server:
    """`dealgraph dev` in a temporary folder, as a context manager."""

    def __init__(self, executable: str) -> None:
        self._executable = str(Path(executable).resolve())
        self._folder = tempfile.TemporaryDirectory(prefix="dealgraph-fuzz-", ignore_cleanup_errors=True)
        # Postgres started as root runs as another account, which has to get in.
        os.chmod(self._folder.name, 0o755)
        self.data = Path(self._folder.name) / "data"
        self._log = Path(self._folder.name) / "log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/graphql"
        self._session = requests.Session()

    def __enter__(self) -> Self:
        # Points are only reported: otherwise most cases would be refused unread, and prove nothing.
        environment = os.environ | {"DEALGRAPH_LIMIT_POINTS": "measure"}
        command = [self._executable, "dev", "--port", str(self._port), "--data-dir", str(self.data)]
        with self._log.open("wb") as log:
            # In a group of its own, so that Ctrl-C reaches it through us, after we have said what was found.
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def _wait(self) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            try:
                if requests.get(f"http://127.0.0.1:{self._port}/health/ready", timeout=5).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.2)
        tail = self._log.read_text(errors="replace")[-3_000:]
        raise SystemExit(f"the server did not become ready in {START_S} s:\n{tail}")

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._folder.cleanup()

    def token(self, email: str, tenant: str) -> str:
        """An access token. It belongs to no session, so that signing out within a case does not end the run."""
        command = [self._executable, "token", "--email", email, "--tenant", tenant, "--data-dir", str(self.data)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def post(self, token: str, document: str, variables: dict[str, Any] | None = None) -> requests.Response:
        """Sends one operation. What is waited for is longer than the server's own limit, which is to be seen as 504."""
        return self._session.post(
            self.url,
            json={"query": document, "variables": variables or {}},
            headers={"authorization": f"Bearer {token}", "accept": "application/graphql-response+json"},
            timeout=60,
        )

    def log_of(self, request_id: str) -> list[str]:
        """What the server logged of a request, but for the line that every request has."""
        lines = self._log.read_text(errors="replace").splitlines()
        own = (line for line in lines if request_id and request_id in line)
        return [line for line in own if json_message(line) != "request"]


def json_message(line: str) -> str:
    """The message of a line of the log, which is JSON when nobody sits at a terminal."""
    try:
        return str(json.loads(line).get("message", ""))
    except ValueError:
        return ""
