"""Which routes a policy denies: by what their segment holds, and what their destination is used for.

Owns what the rules mean. More labels and more rules deny more, never less. A destination that does not say what it is
used for is taken to be used for everything. Pure; knows neither files nor words for people.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple


class Labelling(NamedTuple):
    """What some segments hold.

    Attributes:
        match: which segments, as a glob: *, ? and [abc], capitals as they are.
    """

    match: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """Denies the routes of segments with any of the labels to destinations with any of the marketing actions.

    Attributes:
        labels: None for any segment, labelled or not.
        marketing_actions: None for any destination.
        reason: for people.
    """

    name: str
    labels: frozenset[str] | None = None
    marketing_actions: frozenset[str] | None = None
    reason: str = ""


class Denial(NamedTuple):
    """A rule that denies a route.

    Attributes:
        labels: those of the segment that the rule names.
        marketing_actions: those of the destination that the rule names; none where the destination says none.
    """

    rule: Rule
    labels: frozenset[str]
    marketing_actions: frozenset[str]


class Policy:
    """Rules, and what segments hold.

    Args:
        labellings: a segment has the labels of all that match it.
        listed: which segments may be routed at all, as globs; None for any.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        labellings: Iterable[Labelling] = (),
        listed: Sequence[str] | None = None,
    ) -> None:
        self._rules = tuple(rules)
        self._labellings = tuple(labellings)
        self._listed = listed

    def allows_segment(self, segment: str) -> bool:
        """Whether the segment may be routed, if no rule denies it."""
        return self._listed is None or any(fnmatchcase(segment, match) for match in self._listed)

    def labels_of(self, segment: str) -> frozenset[str]:
        """What the segment holds."""
        matching = (one.labels for one in self._labellings if fnmatchcase(segment, one.match))
        return frozenset[str]().union(*matching)

    def denials(self, segment: str, marketing_actions: Collection[str]) -> Iterator[Denial]:
        """Every rule that denies a route of the segment to a destination with these marketing actions."""
        held, used_for = self.labels_of(segment), frozenset(marketing_actions)
        for rule in self._rules:
            labels = held & (rule.labels or frozenset())
            actions = used_for & (rule.marketing_actions or frozenset())
            has_label = rule.labels is None or labels
            is_used_so = rule.marketing_actions is None or actions or not used_for
            if has_label and is_used_so:
                yield Denial(rule, labels, actions)
