"""`connector healthcheck` against small servers on real sockets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from connector.cli.main import main
from tests.cli.surroundings import configuration, free_port

Capture = pytest.CaptureFixture[str]


@contextmanager
def serving(answers: dict[str, bytes], host: str = "127.0.0.1") -> Iterator[int]:
    """Answer each path with these raw bytes; gives the port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(answers[self.path])

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer((host, 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def http(status: int, body: str) -> bytes:
    return f"HTTP/1.1 {status} So\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def asking(folder: Path, port: int, host: str = "127.0.0.1") -> list[str]:
    def change(tree: dict[str, Any]) -> None:
        tree["admin"] = {"host": host, "port": port}

    path = configuration(folder, "https://example.com", "127.0.0.1:1", change=change)
    return ["healthcheck", "--config", str(path)]


@pytest.mark.parametrize(
    ("options", "code"), [([], 0), (["--ready"], 1)], ids=["healthy", "not ready"]
)
def test_the_answer_decides(options: list[str], code: int, tmp_path: Path, capsys: Capture) -> None:
    answers = {"/healthz": http(200, "well"), "/readyz": http(503, "why not")}
    with serving(answers) as port:
        assert main([*asking(tmp_path, port), *options]) == code
    output, errors = capsys.readouterr()
    assert output == ("why not\n" if options else "well\n")
    assert errors == ""


@pytest.mark.parametrize("status", [204, 301, 404, 500, 503])
def test_only_200_is_well(status: int, tmp_path: Path) -> None:
    with serving({"/healthz": http(status, "")}) as port:
        assert main(asking(tmp_path, port)) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost"])
def test_it_asks_this_machine_wherever_the_service_listens(host: str, tmp_path: Path) -> None:
    with serving({"/healthz": http(200, "well")}, "127.0.0.1") as port:
        assert main(asking(tmp_path, port, host)) == 0


def test_the_environment_may_name_the_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/healthz": http(200, "well")}) as port:
        monkeypatch.setenv("CONNECTOR_ADMIN__PORT", str(port))

        assert main(asking(tmp_path, 1)) == 0


def test_a_broken_change_of_another_key_does_not_make_the_service_ill(tmp_path: Path) -> None:
    with serving({"/healthz": http(200, "well")}) as port:
        words = asking(tmp_path, port)
        path = Path(words[-1])
        path.write_text(path.read_text().replace("destinations:", "destinatons:"))

        assert main(words) == 0


def test_a_wrong_port_is_named(tmp_path: Path, capsys: Capture) -> None:
    assert main(asking(tmp_path, 70_000)) == 2
    assert capsys.readouterr().err.startswith("connector: admin.port: must be at most 65535")


def test_nobody_listens(tmp_path: Path, capsys: Capture) -> None:
    port = free_port()

    assert main(asking(tmp_path, port)) == 1
    errors = capsys.readouterr().err
    assert errors == f"connector: no answer from 127.0.0.1:{port}: Connection refused\n"


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal"]
)
def test_what_answers_is_not_the_service(answer: bytes, tmp_path: Path, capsys: Capture) -> None:
    with serving({"/healthz": answer}) as port:
        assert main(asking(tmp_path, port)) == 1
    errors = capsys.readouterr().err
    assert errors.startswith(f"connector: no answer from 127.0.0.1:{port}: ")
    assert errors.count("\n") == 1
