"""The verdict of a run: audiences, letters and committed offsets against the model, in numbers.

Owns what counts as lost and as wrong. Holds digests only while it counts; none is in what it returns.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connector.sandbox.compare import Comparison, compare
from tests.chaos.load import Load
from tests.end_to_end.deployment import Deployment, Emulator

MOST_SENT_TWICE = 0.05
"""Of all rows, outside of kills."""


@dataclass(frozen=True)
class Verdict:
    """What came of a run.

    Attributes:
        comparison: each audience against the model: missing identifiers are lost, extra ones wrong.
        letters_missing: records that should have a letter and have none.
        letters_extra: records that have a letter and should not.
        behind: records that are not committed.
        overlaps: identifiers that were in two calls under way at once.
        repeated: identifiers that stood twice in one call.
        personal: logs that hold personal data.
    """

    comparison: Comparison
    letters: int
    letters_missing: int
    letters_extra: int
    behind: int
    overlaps: int
    repeated: int
    personal: int

    @property
    def lost(self) -> int:
        return self.comparison.total.missing + self.letters_missing + self.behind

    @property
    def wrong(self) -> int:
        return self.comparison.total.extra + self.letters_extra

    def failures(self) -> Iterable[str]:
        """What is not as it must be, in sentences; none when all is well."""
        for line in self.comparison.audiences:
            if not line.equal:
                yield (
                    f"audience {line.name}: {line.missing} of {line.expected} identifiers lost,"
                    f" {line.extra} wrong"
                )
        for count, what in (
            (self.letters_missing, "letters lost"),
            (self.letters_extra, "letters too many"),
            (self.behind, "records not committed"),
            (self.overlaps, "identifiers in two calls under way at once"),
            (self.repeated, "identifiers twice in one call"),
            (self.personal, "logs with personal data"),
        ):
            if count:
                yield f"{count} {what}"


def judge(deployment: Deployment, emulator: Emulator, load: Load, personal: int) -> Verdict:
    """Compare everything that can be looked at from outside."""
    audiences = deployment.model.audiences
    actual = {one: emulator.members(one)[one] for one in audiences}
    letters = deployment.letters()
    invalid = {_source(one) for one in letters if one["stage"] != "delivery"}
    rejected = {_source(one) for one in letters if one["stage"] == "delivery"}
    comparison = compare(audiences, actual, deployment.model.invalid, invalid)
    committed = deployment.committed()
    duplicates = emulator.stats()["duplicates"]
    return Verdict(
        comparison=comparison,
        letters=len(invalid | rejected),
        letters_missing=comparison.letters.missing + len({*load.poisoned.values()} - rejected),
        letters_extra=comparison.letters.extra + len(rejected - load.poisonous),
        behind=sum(
            abs(end - committed.get(number, 0)) for number, end in enumerate(deployment.offsets)
        ),
        overlaps=duplicates["under_way"],
        repeated=duplicates["within_call"],
        personal=personal,
    )


def _source(letter: dict[str, Any]) -> tuple[int, int]:
    return letter["source"]["partition"], letter["source"]["offset"]
