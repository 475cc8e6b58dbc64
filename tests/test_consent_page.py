"""What docs/consent.md shows of each platform is read as it says: with its expression, its event is consent."""

import contextlib
import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import yaml

from connector import configured
from connector.core.consent import Consent
from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.paths import Path as Expression
from connector.settings.topics import TopicSettings
from tests.settings.trees import changed, load_tree

PAGE_TEXT = (Path(__file__).parent.parent / "docs" / "consent.md").read_text("utf-8")
PAIR = re.compile(r"^### (.*?)\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
BLOCKS = re.compile(r"```yaml\n(.*?)```\n\n```json\n(.*?)```", re.DOTALL)
REQUIRED = {"governance.require_consent": ["advertising"]}


class Shown(NamedTuple):
    """A configuration of the page, and its event."""

    platform: str
    topic: dict[str, Any]
    event: dict[str, Any]


def shown() -> Iterator[Shown]:
    for platform, section in PAIR.findall(PAGE_TEXT):
        for configuration, event in BLOCKS.findall(section):
            [topic] = yaml.safe_load(configuration)["kafka"]["topics"]
            yield Shown(platform, topic, orjson.loads(event))


PAGE = list(shown())
every = pytest.mark.parametrize("one", PAGE, ids=[one.platform for one in PAGE])


def consents(one: Shown, tree: Any, folder: Path) -> list[bool]:
    """Of each entry that the event says, whether it comes with consent."""
    settings = load_tree(folder, changed(REQUIRED | {"kafka.topics[0]": one.topic}))
    shape = configured.format_of(settings, settings.kafka.topics[0])
    some = [each for each in shape.decode(orjson.dumps(tree)) if each.action is Action.ADD]
    return [Consent(["advertising"]).is_given(each.consent) for each in some]


def paths(tree: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every single value."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from paths(value, (*way, key))
        else:
            yield (*way, key)


def test_every_format_without_a_field_of_its_own_is_shown() -> None:
    formats = set(TopicSettings.model_fields["format"].annotation.__args__)  # type: ignore[union-attr]

    assert {one.topic["format"] for one in PAGE} == formats - {"native"}


@every
def test_its_event_is_an_entry_with_consent(one: Shown, tmp_path: Path) -> None:
    assert consents(one, one.event, tmp_path) == [True]


@every
def test_one_value_of_the_event_is_the_consent(one: Shown, tmp_path: Path) -> None:
    telling = []
    for *way, last in paths(one.event):
        tree = copy.deepcopy(one.event)
        place = tree
        for step in way:
            place = place[step]
        place[last] = "?"
        with contextlib.suppress(InvalidRecord):
            if consents(one, tree, tmp_path) == [False]:
                telling.append((*way, last))
    assert len(telling) == 1, telling


def test_an_opt_out_is_turned_round() -> None:
    expression = "!(consent_state.ccpa.data_sale_opt_out.consented)"
    assert f"{{sale: {expression}}}" in PAGE_TEXT

    for has_opted_out in (True, False):
        state = {"ccpa": {"data_sale_opt_out": {"consented": has_opted_out}}}
        assert Expression("consent", expression).find({"consent_state": state}) is not has_opted_out
