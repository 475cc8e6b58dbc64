"""Which variables override which keys, and what is said of the others."""

from pathlib import Path

import pytest

from tests.settings.trees import TOKENS, changed, load_tree, problems_of, right


def test_values_from_the_environment_win(tmp_path: Path) -> None:
    settings = load_tree(
        tmp_path,
        changed({"admin.port": 1, "kafka.group_id": "of-the-file"}),
        {
            **TOKENS,
            "CONNECTOR_KAFKA__BOOTSTRAP_SERVERS": "a:1, b:2",
            "CONNECTOR_KAFKA__GROUP_ID": "8080",
            "CONNECTOR_ADMIN__PORT": " 9090 ",
            "CONNECTOR_TIKTOK__RATE_LIMIT__SHARE": "0.5",
            "CONNECTOR_TIKTOK__RATE_LIMIT__QUERIES_PER_SECOND": "7",
            "CONNECTOR_LOG__LEVEL": "debug",
            "CONNECTOR_GOVERNANCE__REQUIRE_CONSENT": "advertising, Personalisation",
            "CONNECTOR_GOVERNANCE__SUPPRESSION_TOPIC": "suppressed",
        },
    )
    assert settings.kafka.bootstrap_servers == ("a:1", "b:2")
    assert settings.kafka.group_id == "8080"
    assert settings.admin.port == 9090
    assert settings.tiktok.rate_limit.calls_per_second == 3.5
    assert settings.log.level == "debug"
    assert settings.governance.require_consent == ("advertising", "Personalisation")
    assert settings.governance.suppression_topic == "suppressed"


def test_a_required_key_may_come_from_the_environment(tmp_path: Path) -> None:
    environ = {**TOKENS, "CONNECTOR_KAFKA__DEAD_LETTER_TOPIC": "letters"}
    tree = changed({"kafka.dead_letter_topic": ...})
    assert load_tree(tmp_path, tree, environ).kafka.dead_letter_topic == "letters"


def test_a_section_may_come_from_the_environment(tmp_path: Path) -> None:
    environ = {**TOKENS, "CONNECTOR_ADMIN__PORT": "9090"}
    for tree in (changed({"admin": ...}), changed({"admin": None})):
        assert load_tree(tmp_path, tree, environ).admin.port == 9090


def test_other_variables_are_not_ours(tmp_path: Path) -> None:
    environ = {
        **TOKENS,
        # What Kubernetes injects for a Service named connector.
        "CONNECTOR_PORT": "tcp://10.0.0.1:8080",
        "CONNECTOR_SERVICE_HOST": "10.0.0.1",
        "CONNECTOR_PORT_8080_TCP_ADDR": "10.0.0.1",
        "OTHER__THING": "x",
        # The token of a destination named `a--b`.
        "CONNECTOR_ACCESS_TOKEN_A__B": "x",
    }
    assert load_tree(tmp_path, right(), environ) == load_tree(tmp_path, right())


@pytest.mark.parametrize(
    ("variable", "problem"),
    [
        ("CONNECTOR_ADMIN__PRT", "sets no key; did you mean CONNECTOR_ADMIN__PORT?"),
        ("CONNECTOR_DELIVERY__MAX_ROWZ", "sets no key; did you mean CONNECTOR_DELIVERY__MAX_ROWS?"),
        ("CONNECTOR_ADMIN__port", "sets no key; did you mean CONNECTOR_ADMIN__PORT?"),
        ("CONNECTOR___", "sets no key"),
        ("CONNECTOR_KAFKA__TOPICS", "kafka.topics holds mappings, which the environment cannot"),
        ("CONNECTOR_KAFKA__SECURITY", "kafka.security holds mappings, which the environment can"),
        ("CONNECTOR_KAFKA__TOPICS__0__NAME", "kafka.topics holds mappings, which the environm"),
        ("CONNECTOR_ROUTES__0__SEGMENT", "routes holds mappings, which the environment cannot"),
        ("CONNECTOR_TIKTOK__APP_ID", "is not supported yet"),
        ("CONNECTOR_TIKTOK__APP_SECRET", "is not supported yet"),
        (
            "CONNECTOR_GOVERNANCE__POLICY",
            "sets no key; did you mean CONNECTOR_GOVERNANCE__POLICY_FI",
        ),
        (
            "CONNECTOR_SEGMENTS__0__MATCH",
            "segments holds mappings, which the environment cannot set",
        ),
        ("CONNECTOR_ADMIN__TOKENS", "admin.tokens holds mappings, which the environment cannot"),
    ],
)
def test_a_variable_that_sets_nothing(tmp_path: Path, variable: str, problem: str) -> None:
    (found,) = problems_of(tmp_path, right(), {**TOKENS, variable: "hunter2"})
    assert found.startswith(f"{variable}: {problem}")
    assert "hunter2" not in found


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("CONNECTOR_ADMIN__PORT", "http", "(admin.port): must be a whole number"),
        ("CONNECTOR_ADMIN__PORT", "", "(admin.port): must be a whole number"),
        ("CONNECTOR_ADMIN__PORT", "70000", "(admin.port): must be at most 65535"),
        ("CONNECTOR_KAFKA__BOOTSTRAP_SERVERS", "a:1,b", "(kafka.bootstrap_servers): entry 2"),
        ("CONNECTOR_KAFKA__DEAD_LETTER_TOPIC", "more", "(kafka.dead_letter_topic): must be none"),
        ("CONNECTOR_LOG__LEVEL", "loud", "(log.level): must be one of"),
        # A template that was left empty demands no consent: that cannot be meant.
        (
            "CONNECTOR_GOVERNANCE__REQUIRE_CONSENT",
            "",
            "(governance.require_consent[0]): must not b",
        ),
        ("CONNECTOR_GOVERNANCE__REQUIRE_CONSENT", "a,a", "(governance.require_consent): entry 2"),
        ("CONNECTOR_GOVERNANCE__SUPPRESSION_TOPIC", "more", "(governance.suppression_topic): must"),
        ("CONNECTOR_GOVERNANCE__POLICY_FILE", "", "(governance.policy_file): is empty"),
    ],
)
def test_a_wrong_value_is_said_of_its_variable(
    tmp_path: Path, variable: str, value: str, problem: str
) -> None:
    (found,) = problems_of(tmp_path, right(), {**TOKENS, variable: value})
    assert found.startswith(f"{variable} {problem}")


def test_nothing_is_set_below_a_scalar(tmp_path: Path) -> None:
    environ = {**TOKENS, "CONNECTOR_ADMIN__PORT": "9090"}
    assert problems_of(tmp_path, changed({"admin": 8080}), environ) == [
        "admin: must be a mapping of keys to values"
    ]
