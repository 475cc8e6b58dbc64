"""A real Alertmanager for the tests: Debian's program, run by hand on a free port, and a receiver of its notifications.

Knows the example's file, and nothing of what is alerted.
"""

import json
import re
import shutil
import subprocess
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from tests.debian import program
from tests.deploy.alerts.rules import ALERTMANAGER
from tests.end_to_end.deployment import get, until

PACKAGE = "prometheus-alertmanager"

SECRET = "only-the-receiver-knows-it"
"""What receivers are shown."""

_START_PATIENCE = 30.0  # seconds


def amtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Alertmanager's own checker with these arguments; stdout holds all that it says."""
    return subprocess.run(
        [program("amtool", package=PACKAGE), *map(str, arguments)],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def copied_config(folder: Path, receiver: str) -> Path:
    """A copy of deploy/alertmanager in a new folder that tells this receiver, in seconds in place of minutes."""
    shutil.copytree(ALERTMANAGER, folder)
    path = folder / "alertmanager.yml"
    text = path.read_text("utf-8").replace("https://alerts.example.com", receiver)
    path.write_text(re.sub(r"(group_(?:wait|interval)): \w+", r"\1: 1s", text))
    (folder / "secrets").mkdir()
    (folder / "secrets" / "webhook_token").write_text(f"{SECRET}\n")
    return path


class Alertmanager:
    """Runs with a configuration file of the caller's; `end` stops it.

    Args:
        folder: for its data and its log; it has to exist.
        config: Alertmanager's own configuration file.
        port: a free one.
    """

    def __init__(self, folder: Path, config: Path, port: int) -> None:
        self.port = port
        self._log = folder / "alertmanager.log"
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    program("prometheus-alertmanager", package=PACKAGE),
                    f"--config.file={config}",
                    f"--storage.path={folder / 'alertmanager'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--cluster.listen-address=",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            until(self._is_ready, _START_PATIENCE, "Alertmanager")
        except AssertionError:
            self.end()
            raise

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tell(self, alerts: list[dict[str, str]]) -> None:
        """Tell it of alerts that fire, by their labels, as Prometheus does."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v2/alerts",
            json.dumps([{"labels": labels} for labels in alerts]).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    def alerts(self) -> list[dict[str, Any]]:
        """What it knows of, with the state of each."""
        found: list[dict[str, Any]] = json.loads(self._get("/api/v2/alerts"))
        return found

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text(errors="replace")[-2000:]
        return bool(self._get("/-/ready"))

    def _get(self, path: str) -> str:
        status, text = get(f"http://127.0.0.1:{self.port}{path}")
        return text if status == 200 else ""


class Notice(NamedTuple):
    """One alert of a notification: to whom it went, and with which authorization."""

    receiver: str
    authorization: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]


class Receiver:
    """Takes notifications on a free port, each receiver's under a path of its name; `close` stops it."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        notices = self.notices

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver = self.path.strip("/")
                authorization = self.headers.get("Authorization", "")
                notices.extend(
                    Notice(
                        receiver, authorization, one["status"], one["labels"], one["annotations"]
                    )
                    for one in body["alerts"]
                )
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,))
        self._thread.start()

    def find(self, alert: str, status: str = "firing", **labels: str) -> Notice | None:
        """The first notice of this alert in this status with these labels."""
        wanted = {"alertname": alert, **labels}.items()
        return next(
            (one for one in self.notices if one.status == status and wanted <= one.labels.items()),
            None,
        )

    def has(self, labels: dict[str, str]) -> bool:
        """Whether it was told of an alert with exactly these labels."""
        return any(one.labels == labels for one in self.notices)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
