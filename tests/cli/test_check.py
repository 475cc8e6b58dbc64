"""`connector check`: what it asks, what it says, and how it ends. Kafka's part is in test_check_kafka."""

import json
import os
import pty
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector.cli.main import main
from connector.sandbox.emulator import (
    DEFAULT_ADVERTISER,
    DEFAULT_TOKEN,
    Accounts,
    Audience,
    Limits,
    default_accounts,
)
from tests.cli.surroundings import (
    ADVERTISER,
    AUDIENCE,
    OTHER_AUDIENCE,
    check,
    configuration,
    free_port,
    tiktok,
)

NOBODY = "127.0.0.1:1"
TOKEN = "token of emea"
ADVERTISED = f"advertiser {ADVERTISER} of emea"

Capture = pytest.CaptureFixture[str]


def audience(audience_id: str = AUDIENCE) -> str:
    return f"audience {audience_id} of emea"


def routes_to(*audience_ids: str) -> Any:
    def change(tree: dict[str, Any]) -> None:
        tree["routes"] = [
            {"segment": f"segment-{number}", "destination": "emea", "audience_id": one}
            for number, one in enumerate(audience_ids)
        ]

    return change


def test_offline_asks_nobody_and_says_what_was_left_out(tmp_path: Path, capsys: Capture) -> None:
    with tiktok() as running:
        path = configuration(tmp_path, running.base_url, NOBODY)
        code, findings, errors = check(capsys, path, "--offline")
        calls = running.calls()

    assert code == 0
    assert errors == ""
    assert calls == {}
    assert findings["configuration"] == ("ok", "1 topic, 1 destination, 1 route")
    kafka = findings["kafka"]
    assert kafka[0] == "skipped"
    assert "members, members.dead-letter" in kafka[1]
    assert findings["destination emea"][0] == "skipped"


@pytest.mark.parametrize("options", [[], ["--offline"], ["--output", "json"]])
def test_a_wrong_configuration_is_exit_code_2_with_all_problems(
    options: list[str], tmp_path: Path, capsys: Capture
) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["kafka"]["topics"] = []
        tree["destinations"][0]["access_token_file"] = str(tmp_path / "none")
        tree["delivry"] = {}

    path = configuration(tmp_path, "https://example.com", NOBODY, change=change)

    assert main(["check", "--config", str(path), *options]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 3
    for key in ("kafka.topics", "destinations[0].access_token_file", "delivry"):
        assert key in errors


def test_tiktok_is_fine(tmp_path: Path, capsys: Capture) -> None:
    with tiktok() as running:
        path = configuration(tmp_path, running.base_url, NOBODY)
        _, findings, _ = check(capsys, path)
        calls = running.calls()

    assert findings[TOKEN][0] == findings[ADVERTISED][0] == "ok"
    verdict, detail = findings[audience()]
    assert verdict == "ok"
    assert detail.startswith(
        "segment gold; 'Audience 1', 0 matched users (usable for ads from 1,000"
    )
    assert calls == {
        "user/info": {"0": 1},
        "dmp/custom_audience/list": {"0": 1},
        "dmp/custom_audience/get": {"0": 1},
    }


def test_kafka_that_is_not_there_does_not_keep_tiktok_from_being_checked(
    tmp_path: Path, capsys: Capture
) -> None:
    with tiktok() as running:
        path = configuration(tmp_path, running.base_url, f"127.0.0.1:{free_port()}")
        code, findings, errors = check(capsys, path)

    assert code == 1
    assert errors == "connector: it would not run: kafka is wrong\n"
    assert "Connection refused; see kafka.bootstrap_servers" in findings["kafka"][1]
    assert findings["topic members"][0] == "skipped"
    assert findings["dead-letter topic members.dead-letter"][0] == "skipped"
    assert findings[audience()][0] == "ok"


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("not-a-token-of-theirs", "refuses the token"),
        ("not-ä-token", "characters that no HTTP header takes"),
    ],
)
def test_a_bad_token(token: str, words: str, tmp_path: Path, capsys: Capture) -> None:
    with tiktok() as running:
        path = configuration(tmp_path, running.base_url, NOBODY, token=token)
        code, findings, errors = check(capsys, path)

    assert code == 1
    assert f"{TOKEN} is wrong" in errors
    assert findings[TOKEN][0] == "wrong"
    assert words in findings[TOKEN][1]
    assert findings[ADVERTISED] == ("skipped", "not seen: see the token")
    assert findings[audience()] == ("skipped", "not seen: see the token")
    assert token not in str(findings) + errors


def test_an_advertiser_that_the_token_has_no_right_to(tmp_path: Path, capsys: Capture) -> None:
    accounts = Accounts({DEFAULT_TOKEN: ["7000000000000000005"]}, default_accounts().audiences)
    with tiktok(accounts) as running:
        path = configuration(tmp_path, running.base_url, NOBODY)
        code, findings, errors = check(capsys, path)

    assert code == 1
    assert f"{ADVERTISED} is wrong" in errors
    verdict, detail = findings[ADVERTISED]
    assert verdict == "wrong"
    assert "Audience Management" in detail
    assert "Operator or Admin" in detail
    assert "(code 40001)" in detail
    assert findings[TOKEN][0] == "ok"
    assert findings[audience()] == ("skipped", "not seen: see the advertiser")


def test_a_token_that_may_not_ask_who_it_is_is_looked_at_further(
    tmp_path: Path, capsys: Capture
) -> None:
    with tiktok() as running:
        running.fault(endpoint="user/info", code=40001)
        path = configuration(tmp_path, running.base_url, NOBODY)
        code, findings, _ = check(capsys, path)

    assert code == 1
    assert findings[TOKEN][0] == "wrong"
    assert findings[ADVERTISED][0] == findings[audience()][0] == "ok"


def test_the_audience_that_is_missing_is_found_among_those_that_are_there(
    tmp_path: Path, capsys: Capture
) -> None:
    missing = "7199999999999999999"
    foreign = "7100000000000000099"
    accounts = Accounts(
        {DEFAULT_TOKEN: [DEFAULT_ADVERTISER]},
        [*default_accounts().audiences, Audience("7000000000000000002", foreign, "Theirs")],
    )
    with tiktok(accounts) as running:
        change = routes_to(AUDIENCE, missing, OTHER_AUDIENCE, foreign)
        path = configuration(tmp_path, running.base_url, NOBODY, change=change)
        code, findings, errors = check(capsys, path)

    assert code == 1
    assert f"{audience(missing)} is missing" in errors
    assert findings[audience(missing)][0] == "missing"
    assert findings[audience(foreign)][0] == "wrong"
    assert findings[audience()][0] == findings[audience(OTHER_AUDIENCE)][0] == "ok"


def test_a_missing_audience_alone(tmp_path: Path, capsys: Capture) -> None:
    with tiktok() as running:
        running.fault(delete_audience=AUDIENCE)
        path = configuration(tmp_path, running.base_url, NOBODY)
        code, findings, errors = check(capsys, path)

    assert code == 1
    assert f"{audience()} is missing" in errors
    assert findings[audience()][0] == "missing"


def test_many_audiences_are_asked_for_a_hundred_at_a_time(tmp_path: Path, capsys: Capture) -> None:
    ids = [str(7_100_000_000_000_001_000 + number) for number in range(250)]
    accounts = Accounts(
        {DEFAULT_TOKEN: [ADVERTISER]}, [Audience(ADVERTISER, one, "Some") for one in ids]
    )
    with tiktok(accounts) as running:
        path = configuration(tmp_path, running.base_url, NOBODY, change=routes_to(*ids))
        _, findings, _ = check(capsys, path)
        calls = running.calls()

    assert calls["dmp/custom_audience/get"] == {"0": 3}
    assert {findings[audience(one)][0] for one in ids} == {"ok"}


def test_calls_keep_to_the_configured_rate(tmp_path: Path, capsys: Capture) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["tiktok"]["rate_limit"] = {"queries_per_second": 4}

    with tiktok(limits=Limits(qps=4)) as running:
        path = configuration(tmp_path, running.base_url, NOBODY, change=change)
        _, findings, _ = check(capsys, path)
        rate = running.emulator.stats()["rate"]

    assert findings[audience()][0] == "ok"
    assert rate["max_sliding_second"] <= 4
    assert not any(second["refused"] for second in rate["per_second"])


def test_too_many_calls_of_others_are_waited_out(tmp_path: Path, capsys: Capture) -> None:
    with tiktok() as running:
        running.fault(code=40100, count=1)
        path = configuration(tmp_path, running.base_url, NOBODY)
        _, findings, _ = check(capsys, path)

    assert findings[TOKEN][0] == findings[audience()][0] == "ok"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 502}, "try again later (HTTP 502)"),
        ({"code": 50002}, "try again later (code 50002)"),
        ({"body": "html"}, "does not speak TikTok's API"),
        ({"reset": "before"}, "no connection to TikTok"),
        ({"code": 40300}, "no such advertiser"),
        ({"code": 49999}, "refused (code 49999)"),
    ],
)
def test_tiktok_in_trouble(
    fault: dict[str, Any], words: str, tmp_path: Path, capsys: Capture
) -> None:
    with tiktok() as running:
        running.fault(**fault)
        path = configuration(tmp_path, running.base_url, NOBODY)
        code, findings, _ = check(capsys, path)

    assert code == 1
    assert findings[TOKEN][0] in ("wrong", "missing")
    assert words in findings[TOKEN][1]


def test_an_answer_that_does_not_come(tmp_path: Path, capsys: Capture) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["tiktok"]["request_timeout_seconds"] = 0.3

    with tiktok() as running:
        running.fault(timeout=30)
        path = configuration(tmp_path, running.base_url, NOBODY, change=change)
        code, findings, _ = check(capsys, path)

    assert code == 1
    assert "did not answer in time" in findings[TOKEN][1]


def test_two_destinations_are_judged_apart(tmp_path: Path, capsys: Capture) -> None:
    def change(tree: dict[str, Any]) -> None:
        bad = tmp_path / "bad"
        bad.write_text("an-unknown-token")
        tree["destinations"].insert(
            0,
            {"name": "apac", "advertiser_id": "7000000000000000002", "access_token_file": str(bad)},
        )
        tree["routes"].append(
            {"segment": "lost", "destination": "apac", "audience_id": OTHER_AUDIENCE}
        )

    with tiktok() as running:
        path = configuration(tmp_path, running.base_url, NOBODY, change=change)
        code, findings, _ = check(capsys, path)

    assert code == 1
    assert findings["token of apac"][0] == "wrong"
    assert findings[TOKEN][0] == findings[audience()][0] == "ok"
    assert [*findings].index("token of apac") < [*findings].index(TOKEN)


def test_a_pipe_gets_aligned_lines_without_colour(tmp_path: Path, capsys: Capture) -> None:
    with tiktok() as running:
        path = configuration(tmp_path, running.base_url, NOBODY)

        assert main(["check", "--config", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[0].startswith("ok       configuration ")
    assert lines[1].startswith("wrong    kafka ")
    assert "\x1b" not in "".join(lines)
    column = lines[0].index("1 topic")
    assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines)


@pytest.mark.parametrize(
    ("variable", "start"), [({}, "\x1b[32mok     \x1b[0m  "), ({"NO_COLOR": "1"}, "ok       ")]
)
def test_a_terminal_gets_colours(variable: dict[str, str], start: str, tmp_path: Path) -> None:
    path = configuration(tmp_path, "https://example.com", NOBODY)
    command = [sys.executable, "-m", "connector", "check", "--offline", "--config", str(path)]
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    subprocess.run(command, stdout=theirs, check=True, timeout=30, env={**environment, **variable})
    os.close(theirs)
    seen = os.read(ours, 10_000).decode()
    os.close(ours)

    assert seen.startswith(f"{start}configuration ")


def test_names_that_tiktok_gives_cannot_steer_a_terminal(tmp_path: Path, capsys: Capture) -> None:
    accounts = Accounts(
        {DEFAULT_TOKEN: [ADVERTISER]}, [Audience(ADVERTISER, AUDIENCE, "\x1b[2J\nok all fine")]
    )
    with tiktok(accounts) as running:
        path = configuration(tmp_path, running.base_url, NOBODY)
        main(["check", "--config", str(path)])

    output = capsys.readouterr().out
    assert "\x1b" not in output
    assert len(output.splitlines()) == 7


def test_nothing_is_changed_at_tiktok(tmp_path: Path, capsys: Capture) -> None:
    with tiktok() as running:
        path = configuration(tmp_path, running.base_url, NOBODY)
        check(capsys, path)
        calls = running.calls()

    assert not {"segment/mapping", "segment/audience"} & calls.keys()


def test_a_server_that_accepts_and_says_nothing_is_given_up(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.cli.check._TIMEOUT_SECONDS", 0.5)
    with tiktok() as running, socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        path = configuration(tmp_path, running.base_url, f"127.0.0.1:{port}")
        code, findings, _ = check(capsys, path)

    assert code == 1
    assert "no answer in time" in findings["kafka"][1]


def test_what_answers_for_kafka_is_no_kafka(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.cli.check._TIMEOUT_SECONDS", 2.0)
    with tiktok() as running:
        path = configuration(tmp_path, running.base_url, f"127.0.0.1:{running.port}")
        code, findings, _ = check(capsys, path)

    assert code == 1
    assert findings["kafka"][0] == "wrong"


def test_certificates_that_are_none(tmp_path: Path, capsys: Capture) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("not a certificate")

    def change(tree: dict[str, Any]) -> None:
        tree["kafka"]["security"] = {"protocol": "SSL", "ca_file": str(certificate)}

    with tiktok() as running:
        path = configuration(tmp_path, running.base_url, NOBODY, change=change)
        code, findings, _ = check(capsys, path)

    assert code == 1
    assert "cannot be used" in findings["kafka"][1]


def test_the_list_is_json_with_three_keys(tmp_path: Path, capsys: Capture) -> None:
    path = configuration(tmp_path, "https://example.com", NOBODY)

    assert main(["check", "--offline", "--output", "json", "--config", str(path)]) == 0
    for finding in json.loads(capsys.readouterr().out):
        assert list(finding) == ["subject", "verdict", "detail"]
