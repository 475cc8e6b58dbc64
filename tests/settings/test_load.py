"""What a right configuration becomes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector.settings.load import load
from connector.settings.model import RateLimitSettings, Settings
from tests.settings.trees import TOKENS, changed, load_text, load_tree, right

SMALLEST = """
kafka:
  bootstrap_servers: localhost:9092
  topics:
    - name: members
  dead_letter_topic: members.dead-letter
destinations:
  - {name: emea, advertiser_id: "7000000000000000001"}
routes:
  - {segment: gold, destination: emea, audience_id: "7100000000000000001"}
"""


def test_the_smallest_configuration_has_the_documented_defaults(tmp_path: Path) -> None:
    settings = load_text(tmp_path, SMALLEST)

    assert settings.kafka.model_dump() == {
        "bootstrap_servers": ("localhost:9092",),
        "group_id": "tiktok-audiences",
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "session_timeout_seconds": 10,
        "commit_interval_seconds": 1,
        "startup_timeout_seconds": 60,
        "topics": (
            {
                "name": "members",
                "format": "native",
                "columns": None,
                "mapping": None,
                "consent": None,
            },
        ),
        "dead_letter_topic": "members.dead-letter",
        "security": {
            "protocol": "PLAINTEXT",
            "sasl_mechanism": None,
            "username": None,
            "password_file": None,
            "ca_file": None,
            "cert_file": None,
            "key_file": None,
        },
    }
    assert settings.tiktok.model_dump() == {
        "base_url": "https://business-api.tiktok.com/open_api/v1.3",
        "request_timeout_seconds": 15,
        "rate_limit": {"tier": "basic", "queries_per_second": None, "share": 1},
    }
    assert settings.delivery.model_dump() == {
        "max_rows": 1000,
        "max_bytes": 1_000_000,
        "linger_seconds": 1,
        "max_in_flight": 16,
        "max_in_flight_per_audience": 4,
        "max_pending_rows": 200_000,
        "max_pending_rows_per_audience": 100_000,
        "max_uncommitted_records": 5_000_000,
        "retry_initial_seconds": 0.5,
        "retry_max_seconds": 60,
        "drain_seconds": 20,
    }
    assert settings.admin.model_dump() == {
        "host": "0.0.0.0",
        "port": 8080,
        "protect_metrics": False,
        "tokens": (),
    }
    assert settings.log.model_dump() == {"level": "info", "format": "json"}
    assert [(identity.source, identity.target) for identity in settings.identities] == [
        ("email", "EMAIL_SHA256"),
        ("phone", "PHONE_SHA256"),
        ("idfa", "IDFA_SHA256"),
        ("gaid", "AAID_SHA256"),
    ]
    assert {identity.transformation for identity in settings.identities} == {"auto"}
    assert settings.routes[0].identities is None
    assert settings.destinations[0].marketing_actions == ()
    assert settings.segments == ()
    assert settings.governance.model_dump() == {
        "require_consent": (),
        "suppression_topic": None,
        "policy_file": None,
    }


@pytest.mark.parametrize(
    ("rate_limit", "calls_per_second"),
    [
        ({}, 10),
        ({"tier": "advanced"}, 20),
        ({"tier": "premium"}, 30),
        ({"tier": "ultimate"}, 50),
        ({"tier": "ultimate", "queries_per_second": 7}, 7),
        ({"tier": "basic", "queries_per_second": 100, "share": 0.25}, 25),
        ({"share": 0.5}, 5),
    ],
)
def test_the_allowance(rate_limit: dict[str, Any], calls_per_second: float) -> None:
    assert RateLimitSettings(**rate_limit).calls_per_second == calls_per_second


@pytest.mark.parametrize(
    ("path", "value", "becomes"),
    [
        ("kafka.bootstrap_servers", "a:1, b:2", ("a:1", "b:2")),
        ("kafka.bootstrap_servers", ["a:1", "[::1]:2"], ("a:1", "[::1]:2")),
        ("kafka.security", None, {"protocol": "PLAINTEXT"}),
        ("delivery", None, {"max_rows": 1000}),
        ("delivery.max_rows", "10000", 10_000),
        ("delivery.linger_seconds", 0, 0),
        ("admin.port", 0, 0),
        ("tiktok.base_url", "http://127.0.0.1:8081/open_api/v1.3/", None),
        ("tiktok.base_url", "http://[::1]:8081/x", None),
        ("tiktok.base_url", "http://localhost:8081/x", None),
        ("tiktok.base_url", "https://proxy.example/x", None),
        ("tiktok.rate_limit.queries_per_second", None, None),
        ("identities[1].default_region", "DE", "DE"),
        ("identities[0].strip_plus", True, True),
        ("routes[0].identities", ["PHONE_SHA256"], ("PHONE_SHA256",)),
        ("segments", None, ()),
        ("segments", [{"match": "*", "labels": []}], None),
        ("governance", None, {"require_consent": ()}),
        ("governance.require_consent", ["Ads", "ads"], ("Ads", "ads")),
        ("governance.suppression_topic", "people.suppressed", "people.suppressed"),
        ("destinations[0].marketing_actions", [" Lookalike", "b"], ("lookalike", "b")),
        ("routes[0].identities", ["email_lc_sha256"], ("EMAIL_SHA256",)),
        # One segment may feed several audiences, and one audience id may be two accounts'.
        ("routes[1].segment", "gold", "gold"),
        ("routes[1].audience_id", "7100000000000000001", "7100000000000000001"),
    ],
)
def test_what_is_accepted(tmp_path: Path, path: str, value: object, becomes: object) -> None:
    settings = load_tree(tmp_path, changed({path: value}))
    found: Any = settings.model_dump()
    for step in path.replace("[", ".").replace("]", "").split("."):
        found = found[int(step)] if step.isdigit() else found[step]
    if isinstance(becomes, dict):
        assert found.items() >= becomes.items()
    elif becomes is not None:
        assert found == becomes


@pytest.mark.parametrize(
    ("alias", "target"),
    [
        ("email_lc_sha256", "EMAIL_SHA256"),
        ("phone_sha256_E.164", "PHONE_SHA256"),
        ("IDFA", "IDFA_SHA256"),
        ("GAID", "AAID_SHA256"),
        ("IDFA_MD5", "IDFA_MD5"),
        ("AAID_MD5", "AAID_MD5"),
    ],
)
def test_targets_have_one_name(tmp_path: Path, alias: str, target: str) -> None:
    tree = changed({"identities": [{"source": "x", "target": alias}]})
    assert load_tree(tmp_path, tree).identities[0].target == target


def test_md5_and_sha256_may_go_to_different_audiences(tmp_path: Path) -> None:
    both = [
        {"source": "idfa", "target": "IDFA_SHA256"},
        {"source": "idfa", "target": "IDFA_MD5"},
    ]
    tree = changed(
        {
            "identities": both,
            "routes[0].identities": ["IDFA_MD5"],
            "routes[1].identities": ["IDFA_SHA256"],
        }
    )
    assert len(load_tree(tmp_path, tree).identities) == 2


def test_aliases_and_merge_keys_of_yaml_work(tmp_path: Path) -> None:
    text = SMALLEST.replace(
        "routes:\n",
        """routes:
  - &first {segment: gold, destination: emea, audience_id: "1"}
  - {<<: *first, audience_id: "2"}
  - {<<: [*first], segment: lost, audience_id: "3"}
""",
    )
    assert [route.segment for route in load_text(tmp_path, text).routes] == [
        "gold",
        "gold",
        "lost",
        "gold",
    ]


def test_the_file_is_the_argument_then_the_variable_then_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, group: str) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(SMALLEST.replace("  topics", f"  group_id: {group}\n  topics"))

    write(tmp_path / "argument.yaml", "by-argument")
    write(tmp_path / "variable.yaml", "by-variable")
    write(tmp_path / "config" / "connector.yaml", "by-default")
    monkeypatch.chdir(tmp_path)
    named = {**TOKENS, "CONNECTOR_CONFIG": str(tmp_path / "variable.yaml")}

    assert load(tmp_path / "argument.yaml", named).kafka.group_id == "by-argument"
    assert load(None, named).kafka.group_id == "by-variable"
    assert load(None, TOKENS).kafka.group_id == "by-default"


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load_tree(tmp_path, right())
    with pytest.raises(ValueError, match="frozen"):
        settings.admin = settings.admin


def test_loading_an_equal_file_gives_equal_settings(tmp_path: Path) -> None:
    assert load_tree(tmp_path, right()) == load_tree(tmp_path, right())
    assert isinstance(load_tree(tmp_path, right()), Settings)


def test_importing_the_settings_is_cheap() -> None:
    program = (
        "import sys, connector.settings as _;"
        "print(*{'aiohttp', 'aiokafka', 'phonenumbers', 'structlog'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert found.stdout.split() == []
