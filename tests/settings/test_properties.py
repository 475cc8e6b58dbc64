"""Whatever stands in the file: settings, or a SettingsError, and nothing else."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import SettingsError
from connector.settings.draft import keys_of
from connector.settings.model import Settings
from connector.settings.refused import NOT_YET
from tests.settings.test_load import SMALLEST
from tests.settings.trees import TOKENS, load_text, load_tree, put, right

KNOWN = sorted(
    {word for path in (*keys_of(Settings), *NOT_YET) for word in path.replace("[]", "").split(".")}
    | {"name", "format", "advertiser_id", "source", "target", "segment", "audience_id"}
)
VALID = ["emea", "apac", "members", "EMAIL_SHA256", "IDFA", "SASL_SSL", "7100000000000000001"]

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.dates(min_value=date(1, 1, 1))
    | st.binary()
    | st.sampled_from(VALID)
)
keys = st.sampled_from(KNOWN) | st.text(st.characters(exclude_categories=["Cs"])) | st.integers()
trees = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(keys, below, max_size=6),
    max_leaves=30,
)

PLACES = [
    *keys_of(Settings),
    "kafka.topics[0]",
    "kafka.topics[0].name",
    "kafka.topics[0].format",
    "destinations[0]",
    "destinations[0].name",
    "destinations[0].advertiser_id",
    "destinations[0].access_token_file",
    "destinations[0].marketing_actions",
    "identities[0]",
    "identities[0].source",
    "identities[0].target",
    "identities[0].strip_plus",
    "identities[0].default_region",
    "routes[0]",
    "routes[0].segment",
    "routes[0].destination",
    "routes[0].audience_id",
    "routes[0].identities",
    "segments[0]",
]

# The folder is only overwritten: one for all examples is right.
many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def judge(outcome: Settings | SettingsError) -> None:
    if isinstance(outcome, SettingsError):
        assert outcome.problems
        assert all(problem.isprintable() and ": " in problem for problem in outcome.problems)


def outcome_of(
    folder: Path, tree: Any, environ: Mapping[str, str] = TOKENS
) -> Settings | SettingsError:
    try:
        return load_tree(folder, tree, environ)
    except SettingsError as error:
        return error


@many
@given(tree=trees)
def test_any_tree(tmp_path: Path, tree: Any) -> None:
    judge(outcome_of(tmp_path, tree))


@many
@given(sections=st.dictionaries(st.sampled_from(sorted(right())), trees, max_size=3))
def test_any_section(tmp_path: Path, sections: dict[str, Any]) -> None:
    judge(outcome_of(tmp_path, right() | sections))


@many
@given(place=st.sampled_from(PLACES), value=trees)
def test_any_value_in_any_place(tmp_path: Path, place: str, value: Any) -> None:
    judge(outcome_of(tmp_path, put(right(), place, value)))


@many
@given(text=st.text() | st.binary() | st.lists(st.sampled_from(SMALLEST.split(" "))).map(" ".join))
def test_any_text(tmp_path: Path, text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    with pytest.raises(SettingsError):
        load_text(tmp_path, content)


@many
@given(
    environ=st.dictionaries(
        st.sampled_from(["ADMIN__PORT", "KAFKA__BOOTSTRAP_SERVERS", "ROUTES__0", "KAFKA__TOPICS"])
        | st.text(),
        st.text(),
    )
)
def test_any_environment(tmp_path: Path, environ: dict[str, str]) -> None:
    prefixed = {f"CONNECTOR_{name}": value for name, value in environ.items()}
    judge(outcome_of(tmp_path, right(), prefixed | TOKENS))
