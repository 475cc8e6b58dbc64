"""`connector explain`: usage, samples, records of a real broker; and that nothing of a record is ever shown."""

import asyncio
import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.cli.main import main
from connector.sandbox.emulator import DEFAULT_TOKEN
from tests.cli.surroundings import AUDIENCE, OTHER_AUDIENCE, configuration, free_port
from tests.formats import (
    test_adobe_xdm,
    test_cloudevents,
    test_custom,
    test_debezium,
    test_mparticle,
    test_rudderstack,
    test_segment,
)
from tests.formats.mutations import MARKER, broken
from tests.kafka.broken_records import batch, write
from tests.kafka_broker import Cluster, Message
from tests.kafka_broker.cluster import PATIENCE

Capture = pytest.CaptureFixture[str]
Change = Callable[[dict[str, Any]], None]
Shown = tuple[int, str, str]

FOUND_BY_CRM = "crm-profile-77"
EVENT: dict[str, Any] = {
    "profile_id": FOUND_BY_CRM,
    "segment": "gold",
    "status": "entered",
    "identities": {
        "EMail": ["jane@example.com", "john@@example.com"],
        "phone": ["+12133734253", None],
        "idfa": 7,
        "gaid": test_adobe_xdm.EMAIL,
        "crm": FOUND_BY_CRM,
    },
}
KEY = b"secret-key"
SECRETS = (
    *("jane", "john", "@", "p-1", "2133734253", FOUND_BY_CRM, "secret", MARKER, DEFAULT_TOKEN),
    *(test_segment.IDFA, test_adobe_xdm.EMAIL, test_adobe_xdm.ECID, "12345"),
)
HEADERS = [("trace", b"secret-trace"), ("ce_type", b"com.example.membership"), ("ce_id", b"secret")]

MAPPING = {
    "profile_id": "user.id",
    "segment": "audience.key",
    "status": {"path": "change.kind", "entered": ["joined"], "exited": ["left"]},
    "identities": {"email": "user.email", "phone": "user.phones[].number"},
}
FORMATS: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "native": ({}, (EVENT,)),
    "segment": (
        {},
        (test_segment.TRACK, test_segment.IDENTIFY, test_segment.MINIMAL, test_segment.ROW),
    ),
    "adobe_xdm": ({}, test_adobe_xdm.MESSAGES),
    "mparticle": ({}, (test_mparticle.REQUEST,)),
    "rudderstack": ({}, (test_rudderstack.RECORD, test_rudderstack.LIST)),
    "debezium": ({"columns": test_debezium.COLUMNS}, test_debezium.ORIGINALS),
    "custom": ({"mapping": MAPPING}, (test_custom.EVENT,)),
}
SEGMENTS = ("gold", "high-value", "vip", "456", "churned", test_adobe_xdm.VIP)


def topics(tree: dict[str, Any]) -> None:
    """A topic of each format, routes for the segments of all examples, and one that events complete."""
    tree["kafka"]["topics"] = [
        {"name": name, "format": name, **more} for name, (more, _) in FORMATS.items()
    ]
    tree["routes"] = [
        {"segment": name, "destination": "emea", "audience_id": f"71{number}"}
        for number, name in enumerate(SEGMENTS)
    ]
    named = {"segment": test_rudderstack.AUDIENCE, "destination": "emea"}
    tree["routes"].append({**named, "audience_id": "from_event"})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configured(tmp_path)


def configured(folder: Path, change: Change = topics, servers: str = "127.0.0.1:1") -> Path:
    return configuration(folder, "http://127.0.0.1:1", servers, change=change)


def explain(config: Path, *words: str) -> Shown:
    """Run it: the exit code, and what it showed, of which none is a value of anybody."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            code = main(["explain", "--config", str(config), *words])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else -1
    return checked((code, output.getvalue(), errors.getvalue()))


def explain_apart(config: Path, *words: str) -> Shown:
    """Likewise in a process of its own: it sets up logging."""
    command = [sys.executable, "-m", "connector", "explain", "--config", str(config), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return checked((done.returncode, done.stdout, done.stderr))


def checked(shown: Shown) -> Shown:
    leaked = [one for one in SECRETS if one in shown[1] + shown[2]]
    assert not leaked, f"{len(leaked)} values are shown"
    assert "Traceback" not in shown[2]
    return shown


def sample(folder: Path, value: bytes) -> str:
    path = folder / "sample"
    path.write_bytes(value)
    return str(path)


def both(config: Path, *words: str) -> tuple[dict[str, Any], list[str]]:
    """The document and the lines."""
    code, output, errors = explain(config, *words, "--output", "json")
    assert (code, errors) == (0, "")
    document: dict[str, Any] = json.loads(output)
    code, output, errors = explain(config, *words)
    assert (code, errors) == (0, "")
    lines = output.splitlines()
    assert not [line for line in lines if line != line.rstrip()]
    assert f" {document['outcome']}: " in next(one for one in lines if one.startswith("outcome"))
    return document, lines


# Usage


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "either TOPIC:PARTITION:OFFSET or --sample"),
        (["native:0:1", "--sample", "-"], "either TOPIC:PARTITION:OFFSET or --sample"),
        (["native:0"], "not of the form TOPIC:PARTITION:OFFSET"),
        (["native:0:-1"], "not of the form TOPIC:PARTITION:OFFSET"),
        (["native:0:1:2"], "not of the form TOPIC:PARTITION:OFFSET"),
        (["na tive:0:1"], "not of the form TOPIC:PARTITION:OFFSET"),
        (["native:0:\u0661"], "not of the form TOPIC:PARTITION:OFFSET"),
        (["native:0:" + "9" * 30], "not of the form TOPIC:PARTITION:OFFSET"),
        (["native:0:1", "--topic", "native"], "takes --topic with --sample only"),
        (["native:0:1", "--header", "a=b"], "takes --header with --sample only"),
        (["--sample", "-"], "--topic is needed"),
        (["--sample", "-", "--topic", "nobody"], "--topic names none of kafka.topics: native, "),
        (["--sample", "-", "--header", "secret"], "not of the form NAME=VALUE"),
        (["--sample", "-", "--output", "xml"], "invalid choice"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_right(
    words: list[str], said: str, config: Path
) -> None:
    code, output, errors = explain(config, *words)

    assert (code, output) == (2, "")
    assert said in errors


def test_a_topic_that_is_not_configured_is_one_sentence(config: Path) -> None:
    code, output, errors = explain(config, "nobody:0:1")

    assert (code, output) == (1, "")
    assert errors.startswith("connector: nobody is none of kafka.topics")


@pytest.mark.parametrize("name", ["none", ".", "with\0zero"])
def test_a_file_that_cannot_be_read_is_one_sentence(
    name: str, config: Path, tmp_path: Path
) -> None:
    path = str(tmp_path / name)
    code, output, errors = explain(config, "--sample", path, "--topic", "native")

    assert (code, output) == (1, "")
    assert errors.startswith("connector: --sample cannot be read: ")
    assert errors.count("\n") == 1


# Samples


def test_a_sample_is_explained_step_by_step(tmp_path: Path) -> None:
    def restricted(tree: dict[str, Any]) -> None:
        route = {"segment": "gold", "destination": "emea", "audience_id": OTHER_AUDIENCE}
        tree["routes"].append({**route, "identities": ["EMAIL_SHA256"]})

    config = configured(tmp_path, restricted)
    document, lines = both(config, "--sample", sample(tmp_path, orjson.dumps(EVENT)))

    assert lines == [
        "record         a sample of members",
        "  value        267 bytes",
        "  headers      none",
        "envelope       none",
        "decoded as     native: 1 membership",
        "membership     1 of 1",
        "  segment      gold",
        "  status       entered: add",
        "  profile id   kept",
        "  time         not kept",
        "  identities",
        "    email      plain                       usable as EMAIL_SHA256",
        "    email      plain                       dropped for EMAIL_SHA256: malformed",
        "    phone      plain, 12 characters        usable as PHONE_SHA256",
        "    phone      absent                      nothing for PHONE_SHA256",
        "    idfa       not text                    dropped for IDFA_SHA256: not_text",
        "    gaid       digest, 64 characters       usable as AAID_SHA256",
        "    other      1 namespace, not looked at  dropped: unmapped",
        f"  route        emea/{AUDIENCE}, takes all identities",
        f"    sends      add emea/{AUDIENCE}",
        "    id_schema  EMAIL_SHA256, PHONE_SHA256, AAID_SHA256",
        "    row 1      EMAIL_SHA256, PHONE_SHA256, AAID_SHA256",
        f"  route        emea/{OTHER_AUDIENCE}, takes EMAIL_SHA256",
        f"    sends      add emea/{OTHER_AUDIENCE}",
        "    id_schema  EMAIL_SHA256",
        "    row 1      EMAIL_SHA256",
        "outcome        accepted: 2 changes",
    ]
    assert (document["outcome"], document["changes"]) == ("accepted", 2)
    [member] = document["memberships"]
    assert member["routes"][1]["identities"] == ["EMAIL_SHA256"]
    assert [one["verdict"] for one in document["profiles"][0]] == [
        *("usable", "dropped", "usable", "absent", "dropped", "usable", "dropped")
    ]


def test_the_standard_input_is_a_sample(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value = io.TextIOWrapper(io.BytesIO(orjson.dumps(EVENT)))
    monkeypatch.setattr("sys.stdin", value)
    code, output, _ = explain(config, "--sample", "-", "--topic", "native")

    assert code == 0
    assert "accepted: 1 change\n" in output


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "malformed_json"),
        (b"secret", "malformed_json"),
        (b'["secret"]', "not_an_object"),
        (orjson.dumps({**EVENT, "status": "secret"}), "unknown_status"),
        (orjson.dumps({**EVENT, "identities": {"email": "jane"}}), "no_usable_identity"),
    ],
)
def test_what_is_invalid_says_why_and_that_it_becomes_a_dead_letter(
    value: bytes, said: str, config: Path, tmp_path: Path
) -> None:
    document, lines = both(config, "--sample", sample(tmp_path, value), "--topic", "native")

    assert document["dead_letter"]["reason"] == said
    assert next(one for one in lines if one.startswith("outcome")).endswith(
        "invalid: it becomes a dead letter"
    )
    assert lines[-3].split() == ["reason", said]


def test_what_is_filtered_says_why(config: Path, tmp_path: Path) -> None:
    for tree, why in (
        ({**EVENT, "segment": "secret"}, "filtered: no route"),
        ({**EVENT, "identities": {"x": "y"}}, "filtered: none of its namespaces is configured"),
    ):
        path = sample(tmp_path, orjson.dumps(tree))
        document, lines = both(config, "--sample", path, "--topic", "native")
        assert document["outcome"] == "filtered"
        assert lines[-1].endswith(why)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_be_a_sample(name: str, config: Path, tmp_path: Path) -> None:
    for tree in FORMATS[name][1]:
        path = sample(tmp_path, orjson.dumps(tree))
        document, lines = both(config, "--sample", path, "--topic", name)
        assert document["format"] == name
        assert document["outcome"] == "accepted"
    assert any(line.startswith("repeats") for line in lines) is (name == "adobe_xdm")
    assert any("from_event (the event names it)" in line for line in lines) is (
        name == "rudderstack"
    )


def test_headers_make_an_envelope(config: Path, tmp_path: Path) -> None:
    path = sample(tmp_path, orjson.dumps(test_cloudevents.event(data=EVENT)))
    words = ("--sample", path, "--topic", "native", "--header", "trace=secret", "--header")
    document, lines = both(config, *words, "content-type=application/cloudevents+json")

    assert document["envelope"]["mode"] == "structured"
    assert document["outcome"] == "accepted"
    assert document["record"]["headers"] == ["trace", "content-type"]
    assert [line.split() for line in lines if "content-type" in line][1] == [
        "content-type",
        "application/cloudevents+json",
    ]


def governed(more: dict[str, Any], **topic: Any) -> Change:
    def change(tree: dict[str, Any]) -> None:
        tree["governance"] = more
        tree["kafka"]["topics"][0] |= topic

    return change


def told(lines: list[str], label: str) -> list[str]:
    return [line.split(maxsplit=1)[1] for line in lines if line.split()[0] == label]


@pytest.mark.parametrize(
    ("consent", "has_consented", "action"),
    [
        ({"consent": {"advertising": True, "secret": "secret"}}, True, "add"),
        ({"consent": {"advertising": "secret"}}, False, "delete"),
        ({}, False, "delete"),
    ],
)
def test_a_consent_is_told_and_what_is_made_of_it(
    consent: dict[str, Any], action: str, tmp_path: Path, *, has_consented: bool
) -> None:
    config = configured(tmp_path, governed({"require_consent": ["advertising"]}))
    path = sample(tmp_path, orjson.dumps(EVENT | consent))
    document, lines = both(config, "--sample", path)
    [member] = document["memberships"]

    assert member["permission"]["has_consented"] is has_consented
    assert (member["status"], member["action"]) == ("entered", action)
    assert told(lines, "consent") == ["given" if has_consented else "not given: an exit"]
    assert told(lines, "sends") == [f"{action} emea/{AUDIENCE}"]
    assert told(lines, "suppression") == []


def test_a_consent_at_a_path_is_told(tmp_path: Path) -> None:
    rules = {"require_consent": ["advertising"]}
    config = configured(tmp_path, governed(rules, consent="{advertising: optin == 'secret'}"))
    path = sample(tmp_path, orjson.dumps(EVENT | {"optin": "secret"}))

    assert told(both(config, "--sample", path)[1], "consent") == ["given"]


def test_without_rules_nothing_is_said_of_them(config: Path, tmp_path: Path) -> None:
    path = sample(tmp_path, orjson.dumps(EVENT))
    document, lines = both(config, "--sample", path, "--topic", "native")

    assert document["memberships"][0]["permission"] is None
    assert document["suppression_known"] is None
    assert told(lines, "consent") == told(lines, "suppression") == []


def test_of_a_sample_nobody_knows_who_is_suppressed(tmp_path: Path) -> None:
    config = configured(tmp_path, governed({"suppression_topic": "suppression"}))
    document, lines = both(config, "--sample", sample(tmp_path, orjson.dumps(EVENT)))

    assert document["suppression_known"] is False
    assert told(lines, "suppression") == [
        "who is suppressed is not known here: a sample asks nobody"
    ]


def test_what_could_move_a_terminal_is_not_shown(config: Path, tmp_path: Path) -> None:
    path = sample(tmp_path, orjson.dumps(EVENT))
    words = ("--sample", path, "--topic", "native", "--header", "\x1b[2J=1", "--header")

    assert "\x1b" not in explain(config, *words, "ce_type=\x1b[2J")[1]


def test_a_message_of_thousands_is_cut_for_people(config: Path, tmp_path: Path) -> None:
    audiences = [{"audience_id": number, "action": "add"} for number in range(3_000)]
    profile = {**test_mparticle.PROFILE, "audiences": audiences}
    tree = {**test_mparticle.REQUEST, "user_profiles": [profile]}
    path = sample(tmp_path, orjson.dumps(tree))
    document, lines = both(config, "--sample", path, "--topic", "mparticle")
    assert len(document["memberships"]) == 3_000
    assert len(lines) < 200

    emails = [f"jane{number}@example.com" for number in range(900)]
    tree = {**EVENT, "identities": {"email": emails, "phone": [7, "+12133734253"] * 400}}
    path = sample(tmp_path, orjson.dumps(tree))
    document, lines = both(config, "--sample", path, "--topic", "native")
    assert len(document["profiles"][0]) == 1_700
    assert any("900 times plain" in line for line in lines)
    assert len(lines) < 80


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    configured(folder)
    return folder


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_bytes_are_explained_and_quoted_nowhere(name: str, data: Any, shared: Path) -> None:
    value = data.draw(st.binary() | broken(*FORMATS[name][1]))
    output = data.draw(st.sampled_from(["text", "json"]))
    header = data.draw(
        st.sampled_from(["a=b", "content-type=application/cloudevents+json", "ce_id=1"])
    )
    words = ("--sample", sample(shared, value), "--topic", name, "--header", header)
    code, shown, errors = explain(shared / "connector.yaml", *words, "--output", output)

    assert (code, errors) == (0, "")
    assert shown


# Records of a broker


def reading(*names: str, format_: str = "native", **more: Any) -> Change:
    def change(tree: dict[str, Any]) -> None:
        topics(tree)
        tree["kafka"]["topics"] = [{"name": one, "format": format_, **more} for one in names]

    return change


@pytest.mark.parametrize("name", FORMATS)
def test_a_record_of_a_broker_is_explained(
    name: str, broker: Cluster, topic: str, tmp_path: Path
) -> None:
    more, trees = FORMATS[name]
    values = [orjson.dumps(tree) for tree in trees]
    messages = [Message(value, KEY, HEADERS, timestamp_ms=1_795_176_000_000) for value in values]
    broker.produce(topic, [b"{}", *messages])
    servers = broker.bootstrap_servers
    config = configured(tmp_path, reading(topic, format_=name, **more), servers)
    groups = broker.groups()

    for offset, value in enumerate(values, 1):
        document, lines = both(config, f"{topic}:0:{offset}")
        assert document["outcome"] == "accepted"
        assert document["record"] == {
            "topic": topic,
            "partition": 0,
            "offset": offset,
            "timestamp_ms": 1_795_176_000_000,
            "key_bytes": len(KEY),
            "value_bytes": len(value),
            "headers": ["trace", "ce_type", "ce_id"],
            "header_values": {"ce_type": "com.example.membership"},
        }
        assert lines[0].split() == ["record", f"{topic}:0:{offset}"]
        assert lines[1].split() == ["time", "2026-11-20T12:00:00.000Z"]
    assert broker.groups() == groups
    assert broker.end_offsets(topic) == {0: len(values) + 1}


@pytest.mark.parametrize(
    ("entry", "said", "sends"),
    [
        (
            {"profile_id": FOUND_BY_CRM, "status": "erased"},
            "the profile is suppressed: an exit",
            [f"delete emea/{AUDIENCE}"],
        ),
        (
            {"status": "suppressed", "identities": {"email": "jane@example.com"}},
            "left out: EMAIL_SHA256",
            [f"add emea/{AUDIENCE}"],
        ),
        ({"status": "released"}, "none of it is suppressed", [f"add emea/{AUDIENCE}"]),
    ],
)
def test_who_is_suppressed_is_read_from_the_topic(
    entry: dict[str, Any],
    said: str,
    sends: list[str],
    broker: Cluster,
    topic: str,
    tmp_path: Path,
) -> None:
    suppression = broker.create_compacted_topic()
    broker.produce(topic, [orjson.dumps(EVENT)])
    values = [b"secret", orjson.dumps({"profile_id": "secret", **entry})]
    broker.produce(suppression, [Message(value, KEY) for value in values])

    def change(tree: dict[str, Any]) -> None:
        tree["kafka"]["topics"] = [{"name": topic}]
        tree["governance"] = {"suppression_topic": suppression}

    config = configured(tmp_path, change, broker.bootstrap_servers)
    code, output, errors = explain_apart(config, f"{topic}:0:0")

    assert (code, errors) == (0, "")
    assert told(output.splitlines(), "suppression") == [said]
    assert told(output.splitlines(), "sends") == sends


def test_what_is_not_there_is_one_sentence(broker: Cluster, tmp_path: Path) -> None:
    topic, empty = broker.create_topic(partitions=2), broker.create_topic()
    broker.produce(topic, [b"{}"] * 10)
    broker.delete_records(topic, before=4)
    change = reading(topic, empty, "nobody-made-this")
    config = configured(tmp_path, change, broker.bootstrap_servers)

    for place, said in (
        ("nobody-made-this:0:0", "Kafka has no topic nobody-made-this"),
        (f"{topic}:2:0", f"{topic} has no partition 2: its partitions are 0 to 1"),
        (f"{topic}:0:3", "is past retention: the first offset that is left is 4"),
        (f"{topic}:0:10", f"is beyond the end of what is committed: {topic}:0 ends with offset 9"),
        (f"{empty}:0:0", f"{empty}:0 holds no record"),
    ):
        code, output, errors = explain(config, place)
        assert (code, output) == (1, "")
        assert said in errors
        assert errors.count("\n") == 1
    assert explain(config, f"{topic}:0:9")[0] == 0


def test_gaps_of_a_partition_hold_no_record(broker: Cluster, topic: str, tmp_path: Path) -> None:
    with broker.transaction(topic, [b"{}"]) as producer:
        producer.commit_transaction(PATIENCE)
    with broker.transaction(topic, [b"{}"]) as producer:
        producer.abort_transaction(PATIENCE)
    compacted = broker.create_compacted_topic()
    broker.produce(compacted, [Message(b"{}", b"k")] * 20)
    left = broker.compact(compacted)
    gone = next(offset for offset in range(20) if offset not in left)
    config = configured(tmp_path, reading(topic, compacted), broker.bootstrap_servers)

    assert explain(config, f"{topic}:0:0")[0] == 0
    for place in (f"{topic}:0:1", f"{topic}:0:2", f"{topic}:0:3", f"{compacted}:0:{gone}"):
        code, output, errors = explain(config, place)
        assert (code, output) == (1, "")
        assert errors.startswith(f"connector: no record stands at {place}: ")
        assert errors.count("\n") == 1


def test_a_tombstone_and_what_the_client_cannot_parse_are_explained(
    broker: Cluster, topic: str, tmp_path: Path
) -> None:
    broker.produce(topic, [Message(None, KEY)])
    asyncio.run(write(broker.bootstrap_servers, topic, batch([b"secret"] * 3, [1])))
    config = configured(tmp_path, reading(topic), broker.bootstrap_servers)

    document, _ = both(config, f"{topic}:0:0")
    assert (document["outcome"], document["why"]) == ("filtered", "a record without a value")
    document, lines = both(config, f"{topic}:0:2")
    assert document["dead_letter"]["reason"] == "unreadable_record"
    assert lines[-3].split() == ["reason", "unreadable_record"]


def test_a_kafka_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    config = configured(tmp_path, servers=f"127.0.0.1:{free_port()}")
    code, output, errors = explain(config, "native:0:0")

    assert (code, output) == (1, "")
    assert errors.startswith("connector: Kafka does not tell of its topics")
    assert errors.count("\n") == 1
