"""The policy file: what it refuses, what is refused in it, and that nothing passes it by."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import SettingsError
from connector.settings.draft import keys_of
from connector.settings.governance import PolicySettings, RuleSettings, SegmentSettings
from connector.settings.model import Settings
from connector.settings.policy import read as read_policy
from connector.settings.refused import is_not_yet
from tests.settings.test_properties import trees
from tests.settings.trees import TOKENS, changed, load_tree, problems_of, put

EXAMPLE = Path(__file__).parents[2] / "config" / "examples" / "policy.yaml"
DOCUMENT = Path(__file__).parents[2] / "docs" / "policy.md"
VARIABLE = "CONNECTOR_GOVERNANCE__POLICY_FILE"

RULE = "the policy's rule"
REASON = "Health data must not leave."
EMEA, APAC = "destination emea", "destination apac"
LOST = f"segment lost, labelled health, feeds {APAC}"
ANYTHING = "which has no marketing_actions: it may be used for anything"


def policy() -> dict[str, Any]:
    """A policy that the right tree keeps to: the first destination is used for lookalikes, the other says nothing."""
    return {
        "rules": [
            {
                "name": "no-health",
                "deny": {"labels": ["health"], "marketing_actions": ["retargeting"]},
                "reason": REASON,
            },
            {"name": "no-minors", "deny": {"labels": ["minors"]}},
        ],
        "segments": [{"match": "lost-*", "labels": ["health"]}],
    }


def under(folder: Path, content: object, changes: Mapping[str, Any] | None = None) -> Any:
    """A configuration that is right by itself, under this policy: a tree, or the file's text."""
    path = folder / "policy.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    tree = changed({"destinations[0].marketing_actions": ["lookalike"], **(changes or {})})
    return put(tree, "governance.policy_file", str(path))


def without(problems: list[str], folder: Path) -> list[str]:
    return [problem.removeprefix(f"{folder / 'policy.yaml'}: ") for problem in problems]


def test_a_configuration_that_keeps_to_it_loads(tmp_path: Path) -> None:
    loaded = load_tree(tmp_path, under(tmp_path, policy()))
    assert loaded.governance.policy_file == tmp_path / "policy.yaml"


# changes to the policy and to the configuration, and the lines that must answer them
DENIED: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    (
        {},
        {"segments": [{"match": "gold", "labels": ["Minors ", "vip"]}]},
        [f"routes[0]: {RULE} no-minors denies that segment gold, labelled minors, feeds {EMEA}"],
    ),
    (
        {"segments[0]": {"match": "l*", "labels": ["health", "vip"]}},
        {"destinations[1].marketing_actions": ["exclusion", "Retargeting"]},
        [f"routes[1]: {RULE} no-health denies that {LOST}, used for retargeting. {REASON}"],
    ),
    (
        {"segments[0].match": "*"},
        {},
        [f"routes[1]: {RULE} no-health denies that {LOST}, {ANYTHING}. {REASON}"],
    ),
    (
        {
            "rules[1].deny": {"marketing_actions": ["lookalike", "b"]},
            "rules[1].reason": " In two\n lines.\n",
        },
        {},
        [
            f"routes[0]: {RULE} no-minors denies that segment gold feeds {EMEA}, used for lookalike. In two lines.",
            f"routes[1]: {RULE} no-minors denies that segment lost feeds {APAC}, {ANYTHING}. In two lines.",
        ],
    ),
    (
        {"segments[0]": {"match": "*", "labels": ["health", "minors"]}},
        {},
        [
            f"routes[0]: {RULE} no-minors",
            f"routes[1]: {RULE} no-health",
            f"routes[1]: {RULE} no-minors",
        ],
    ),
    # A route whose audience each event names is judged like any other, and so is another name of a segment.
    (
        {"segments[0].match": "Lost ones"},
        {"routes[1].audience_id": "from_event", "routes[1].segment": "Lost ones"},
        [
            f"routes[1]: {RULE} no-health denies that segment Lost ones, labelled health, feeds {APAC}"
        ],
    ),
    (
        {"unlisted_segments": "deny"},
        {},
        [
            "routes[0]: the policy denies segment gold: no entry of its own segments matches it",
            "routes[1]: the policy denies segment lost: no entry of its own segments matches it",
        ],
    ),
    (
        {"unlisted_segments": "deny", "segments[1]": {"match": "gold", "labels": []}},
        {"segments": [{"match": "*", "labels": ["vip"]}]},
        ["routes[1]: the policy denies segment lost"],
    ),
    (
        {"known_labels": ["health", "minors", "vip"]},
        {"segments": [{"match": "x", "labels": ["VIP", "helth"]}]},
        ["segments[0].labels[1]: is no name that the policy knows; did you mean health?"],
    ),
    (
        {"known_marketing_actions": ["retargeting"]},
        {},
        ["destinations[0].marketing_actions[0]: is no name that the policy knows; valid here: re"],
    ),
]


@pytest.mark.parametrize(("rules", "changes", "problems"), DENIED)
def test_what_it_denies(
    tmp_path: Path, rules: dict[str, Any], changes: dict[str, Any], problems: list[str]
) -> None:
    content = policy()
    for path, value in rules.items():
        put(content, path, value)

    found = problems_of(tmp_path, under(tmp_path, content, changes))

    assert len(found) == len(problems)
    for problem, start in zip(found, problems, strict=True):
        assert problem.startswith(start)


def test_a_label_taken_away_lifts_the_refusal(tmp_path: Path) -> None:
    labelled = {"segments": [{"match": "gold", "labels": ["minors"]}]}
    assert problems_of(tmp_path, under(tmp_path, policy(), labelled))

    labelled["segments"][0]["labels"] = []
    load_tree(tmp_path, under(tmp_path, policy(), labelled))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"rulez": []}, "rulez: unknown key; did you mean rules?"),
    ({"kafka": {}}, "kafka: unknown key; valid here: rules, segments"),
    ({"rules[0].nam": "x"}, "rules[0].nam: unknown key; did you mean name?"),
    ({"rules[0].labels": ["x"]}, "rules[0].labels: unknown key; valid here: name, deny, reason"),
    ({"rules[0].name": ...}, "rules[0].name: is required"),
    ({"rules[0].name": ""}, "rules[0].name: must not be empty"),
    ({"rules[0].deny": ...}, "rules[0].deny: is required"),
    ({"rules[0].deny": {}}, "rules[0].deny: needs labels, marketing_actions or both"),
    ({"rules[0].deny": None}, "rules[0].deny: needs labels, marketing_actions or both"),
    ({"rules[0].deny": ["x"]}, "rules[0].deny: must be a mapping of keys to values"),
    ({"rules[0].deny.labels": []}, "rules[0].deny.labels: must have at least one entry"),
    ({"rules[0].deny.labels": "x"}, "rules[0].deny.labels: must be a list"),
    ({"rules[0].deny.labels": [5]}, "rules[0].deny.labels[0]: must be text: put quotes"),
    ({"rules[0].deny.marketing_actions": [""]}, "rules[0].deny.marketing_actions[0]: must not"),
    ({"rules[0].deny.action": ["x"]}, "rules[0].deny.action: unknown key; valid here: labels, ma"),
    ({"rules[1].name": "no-health"}, "rules[1].name: is the name of rules[0] too"),
    ({"rules": "x"}, "rules: must be a list"),
    ({"segments[0].labels": ...}, "segments[0].labels: is required"),
    ({"segments[0].label": ["x"]}, "segments[0].label: unknown key; did you mean labels?"),
    ({"unlisted_segments": "forbid"}, "unlisted_segments: must be one of allow, deny"),
    ({"require_consent": "ads"}, "require_consent: must be a list"),
    ({"require_consent": ["a", "a"]}, "require_consent: entry 2 is there already"),
    (
        {"known_labels": ["minors"], "segments": []},
        "rules[0].deny.labels[0]: is no name that the policy knows; valid here: minors",
    ),
    (
        {"known_labels": ["health", "minors"], "segments[0].labels": ["helth"]},
        "segments[0].labels[0]: is no name that the policy knows; did you mean health?",
    ),
    (
        {"known_marketing_actions": ["lookalike"]},
        "rules[0].deny.marketing_actions[0]: is no name that the policy knows; valid here: look",
    ),
    ({"rules": []}, "rules: is required, where neither require_consent nor unlisted_segments"),
    ({"rules": ..., "segments": ...}, "rules: is required, where neither"),
]


@pytest.mark.parametrize(("changes", "problem"), WRONG, ids=[one for _, one in WRONG])
def test_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    content = policy()
    for path, value in changes.items():
        put(content, path, value)

    (found,) = without(problems_of(tmp_path, under(tmp_path, content)), tmp_path)

    assert found.startswith(problem)
    with pytest.raises(SettingsError) as refused:
        read_policy(tmp_path / "policy.yaml")
    assert without(refused.value.problems, tmp_path) == [found]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty: it must be a mapping of keys to values"),
        ("# nothing yet\n", "is empty"),
        ("- a\n", "must be a mapping of keys to values"),
        ("rules: [\n", "is not YAML"),
    ],
)
def test_a_file_that_is_no_policy_refuses_the_configuration(
    tmp_path: Path, text: str, problem: str
) -> None:
    (found,) = problems_of(tmp_path, under(tmp_path, text))
    assert found.startswith(f"governance.policy_file: {tmp_path / 'policy.yaml'}: {problem}")


def test_a_key_that_stands_twice_in_it(tmp_path: Path) -> None:
    text = yaml.safe_dump(policy()) + "rules: [{name: other, deny: {labels: [x]}}]\n"
    (found,) = problems_of(tmp_path, under(tmp_path, text))
    assert found.startswith(f"{tmp_path / 'policy.yaml'}: the key rules stands twice (line ")


@pytest.mark.parametrize("named", ["nowhere.yaml", "."])
def test_a_policy_that_is_not_there_refuses_the_configuration(tmp_path: Path, named: str) -> None:
    tree = put(changed({}), "governance.policy_file", str(tmp_path / named))
    (found,) = problems_of(tmp_path, tree)
    assert found.startswith(f"governance.policy_file: {tmp_path / named}: ")


def test_the_variable_wins_and_is_named_where_its_file_is_wrong(tmp_path: Path) -> None:
    tree = under(tmp_path, policy())
    strict = tmp_path / "strict.yaml"
    strict.write_text("unlisted_segments: deny\n")

    forced = problems_of(tmp_path, tree, {**TOKENS, VARIABLE: str(strict)})
    missing = problems_of(tmp_path, tree, {**TOKENS, VARIABLE: "/nowhere/policy.yaml"})

    assert [problem.partition(":")[0] for problem in forced] == ["routes[0]", "routes[1]"]
    assert missing == [
        f"{VARIABLE} (governance.policy_file): /nowhere/policy.yaml: there is no such file"
    ]


def test_a_variable_alone_brings_a_policy(tmp_path: Path) -> None:
    tree = under(tmp_path, {"unlisted_segments": "deny"})
    environ = {**TOKENS, VARIABLE: tree["governance"].pop("policy_file")}
    assert len(problems_of(tmp_path, tree, environ)) == 2

    del tree["governance"]
    assert len(problems_of(tmp_path, tree, environ)) == 2


def test_consent_is_required_by_either(tmp_path: Path) -> None:
    demanding = {"require_consent": ["ads", "profiling"]}
    for ours, both in (
        ([], ("ads", "profiling")),
        (["mail", "ads"], ("mail", "ads", "profiling")),
    ):
        tree = under(tmp_path, demanding, {"governance.require_consent": ours})
        assert load_tree(tmp_path, tree).governance.require_consent == both

    environ = {**TOKENS, "CONNECTOR_GOVERNANCE__REQUIRE_CONSENT": "mail"}
    loaded = load_tree(tmp_path, under(tmp_path, demanding), environ)
    assert loaded.governance.require_consent == ("mail", "ads", "profiling")


def test_consent_that_a_policy_demands_must_have_its_place(tmp_path: Path) -> None:
    vendors = {"kafka.topics[0].format": "segment"}
    (found,) = problems_of(tmp_path, under(tmp_path, {"require_consent": ["ads"]}, vendors))
    assert found.startswith("kafka.topics[0].consent: is required")

    vendors["kafka.topics[0].consent"] = "context.consent"
    load_tree(tmp_path, under(tmp_path, {"require_consent": ["ads"]}, vendors))
    # Whether a policy that cannot be read demands it is not known.
    (found,) = problems_of(tmp_path, under(tmp_path, "", vendors))
    assert found.startswith("governance.policy_file: ")


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    content = policy()
    put(content, "rules[0].deny", {"labels": [7]})
    put(content, "segments[0].match", "*")
    put(content, "segments[0].labels", ["minors"])
    put(content, "unlistd", 1)
    changes = {
        "delivery.max_rows": 0,
        "routes[0].destination": "emae",
        "segments": [{"match": "*"}],
    }

    found = without(problems_of(tmp_path, under(tmp_path, content, changes)), tmp_path)

    starts = [
        "segments[0].labels: is required",
        "delivery.max_rows: ",
        "routes[0].destination: ",
        "unlistd: unknown key",
        "rules[0].deny.labels[0]: must be text",
        "routes[1]: the policy's rule no-minors denies that segment lost",
    ]
    assert len(found) == len(starts)
    assert all(any(problem.startswith(start) for problem in found) for start in starts)


def test_what_is_wrong_in_a_policy_is_not_held_against_routes(tmp_path: Path) -> None:
    """One mistake, one line: an entry that is wrong might have listed every segment."""
    content = {"unlisted_segments": "deny", "segments": [{"match": 5, "labels": []}]}
    (found,) = without(problems_of(tmp_path, under(tmp_path, content)), tmp_path)
    assert found.startswith("segments[0].match: must be text")


def test_the_example_is_a_policy() -> None:
    example = read_policy(EXAMPLE)
    assert example.rules
    assert set(keys_of(PolicySettings)) == set(yaml.safe_load(EXAMPLE.read_text()))


def test_every_key_is_documented() -> None:
    documented = re.findall(r"^\| `([a-z_.\[\]]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    keys = [*keys_of(PolicySettings)]
    for below, model in (("rules", RuleSettings), ("segments", SegmentSettings)):
        keys += [f"{below}[].{key}" for key in keys_of(model)]
    assert sorted(documented) == sorted({*keys} - {"rules", "rules[].deny", "segments"})


def test_a_route_names_one_segment() -> None:
    """Once routes take globs, each segment that one may match must be judged: by its pattern it would pass."""
    assert is_not_yet("routes[].segment", "health-*")


def outcome_of(folder: Path, content: object) -> Settings | list[str]:
    tree = under(folder, yaml.safe_dump(content, allow_unicode=True))
    try:
        return load_tree(folder, tree)
    except SettingsError as error:
        return error.problems


# The folder is only overwritten: one for all examples is right.
many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@many
@given(
    place=st.sampled_from([*keys_of(PolicySettings), "rules[0]", "rules[0].deny", "segments[0]"]),
    value=trees,
)
def test_any_value_in_any_place(tmp_path: Path, place: str, value: Any) -> None:
    outcome = outcome_of(tmp_path, put(policy(), place, value))
    if isinstance(outcome, list):
        assert outcome
        assert all(problem.isprintable() and ": " in problem for problem in outcome)


@many
@given(
    segment=st.sampled_from(["gold", "g*", "*", "lost"]),
    labels=st.lists(st.sampled_from(["minors", "health", "Vip"]), unique=True),
    unlisted=st.sampled_from(["allow", "deny"]),
)
def test_nothing_that_a_configuration_says_of_its_segments_lifts_a_refusal(
    tmp_path: Path, segment: str, labels: list[str], unlisted: str
) -> None:
    content = {**policy(), "unlisted_segments": unlisted}
    content["segments"] = [{"match": "l*", "labels": ["health"]}]
    before = problems_of(tmp_path, under(tmp_path, content))
    more = {"segments": [{"match": segment, "labels": labels}]}
    assert set(before) <= set(problems_of(tmp_path, under(tmp_path, content, more)))
