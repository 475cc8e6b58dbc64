"""From chosen letters to rows in lanes: what each letter asks for, or why it asks for nothing.

Owns the fate of each letter. A letter whose payload was too large to be kept waits until the scan meets its record.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from connector.core.batch import row_of
from connector.core.checkpoint import Checkpoint, Span
from connector.core.letter import record_letter
from connector.core.model import Partition, Record, Stage
from connector.delivery.dead_letters import DeadLetterQueue
from connector.errors import InvalidRecord
from connector.replay.ledger import Ledger
from connector.replay.letters import REASONS, Letter
from connector.replay.reading import Change, Reading, Suppressed
from connector.replay.summary import Fate
from connector.telemetry.events import ChangeEnd


class Extent(NamedTuple):
    """What a partition holds: from its first remaining offset to before its end."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Rules:
    """How letters are taken.

    Attributes:
        with_past: letters about records that the source no longer holds are sent, too.
        writes: what fails again is written again.
    """

    with_past: bool = False
    writes: bool = True


class Feed:
    """Takes letters: `take`, then `meet` for each record of the scan; `fates` at the end.

    Args:
        extents: what the source's partitions hold; those that do not exist are missing.
        now: monotonic seconds.
        wall: seconds since the epoch.

    Attributes:
        is_scanned: whether the source has been read to its end.
    """

    def __init__(
        self,
        reading: Reading,
        ledger: Ledger,
        checkpoint: Checkpoint,
        dead_letters: DeadLetterQueue,
        extents: Mapping[Partition, Extent],
        rules: Rules,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.is_scanned = False
        self._reading = reading
        self._ledger = ledger
        self._checkpoint = checkpoint
        self._dead_letters = dead_letters
        self._extents = extents
        self._rules = rules
        self._now = now
        self._wall = wall
        self._ended: list[Fate] = []
        self._spans: list[Span] = []
        self._omitted: dict[tuple[Partition, int], Letter] = {}
        self._starts: dict[Partition, int] = {}

    def take(self, letters: Iterable[Letter]) -> None:
        """Put what these letters ask for into the lanes; the last letters of a partition are its newest."""
        for letter in letters:
            fate = self._take(letter)
            if fate is not None:
                self._ended.append(fate)

    def starts(self) -> dict[Partition, int]:
        """Where the scan has to begin: at the oldest record that a letter in the lanes is about."""
        return dict(self._starts)

    def meet(self, partition: Partition, record: Record) -> None:
        """If the record is one whose payload is missing in its letter, take it from here."""
        if not self._omitted:
            return
        letter = self._omitted.pop((partition, record.offset), None)
        if letter is None:
            return
        value = record.value
        is_same = value is not None and len(value) == letter.omitted_bytes
        fate = (
            self._decode(letter, value, record.headers)
            if is_same and value is not None
            else Fate.NO_PAYLOAD
        )
        if fate is not None:
            self._ended.append(fate)

    def scanned(self) -> None:
        """The source has been read to its end: what was not met is not there."""
        self._ended += [Fate.NO_PAYLOAD] * len(self._omitted)
        self._omitted.clear()
        self.is_scanned = True

    def fates(self) -> list[Fate]:
        """What has become of each letter by now."""
        waiting = [Fate.LEFT] * len(self._omitted)
        return [*self._ended, *waiting, *(self._fate(span) for span in self._spans)]

    def _take(self, letter: Letter) -> Fate | None:
        """Its fate, when that is known at once."""
        if not self._reading.knows(letter.origin.partition.topic):
            return Fate.TOPIC_NOT_CONFIGURED
        if letter.change is not None:
            try:
                change = self._reading.change_of(letter.change)
            except Suppressed:
                return Fate.SUPPRESSED
            return Fate.NO_ROUTE if change is None else self._admit(letter, [change])
        if letter.payload is not None:
            return self._decode(letter, letter.payload, letter.headers)
        if letter.omitted_bytes is None:
            return Fate.NO_PAYLOAD
        if not self._is_held(letter):
            return Fate.NO_PAYLOAD if self._rules.with_past else Fate.PAST_RETENTION
        self._omitted[letter.origin.partition, letter.origin.offset] = letter
        self._begin_at(letter)
        return None

    def _decode(
        self, letter: Letter, payload: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> Fate | None:
        try:
            changes = self._reading.changes(letter.origin.partition.topic, payload, headers)
        except InvalidRecord as invalid:
            self._set_aside(letter, invalid, payload, headers)
            return Fate.FAILED_AGAIN
        return self._admit(letter, changes) if changes else Fate.FILTERED

    def _admit(self, letter: Letter, changes: Iterable[Change]) -> Fate | None:
        origin = letter.origin
        partition = origin.partition
        if not self._is_held(letter) and not self._rules.with_past:
            return Fate.PAST_RETENTION
        span = self._checkpoint.track(
            partition, origin.offset + 1, self._now(), origin.timestamp_ms
        )
        span.attempts = letter.attempts + 1
        self._spans.append(span)
        for change in changes:
            row = row_of(
                list(change.digests),
                change.action,
                span,
                origin.offset,
                origin.timestamp_ms,
                origin.key,
                change.profile,
            )
            audience = self._ledger.named(change.route, change.audience)
            if audience is None:
                continue  # as many as may be are known
            newer_above = self._newer_above(letter)
            watch = self._ledger.watch
            if watch.hold(change.audience, row, partition, newer_above, is_letters=True):
                self._ledger.accept(audience, row)
        span.resolve()
        self._begin_at(letter)
        return None

    def _is_held(self, letter: Letter) -> bool:
        """Whether the source still has all that came after the letter's record."""
        extent = self._extents.get(letter.origin.partition)
        return extent is not None and extent.first <= letter.origin.offset < extent.end

    def _newer_above(self, letter: Letter) -> int:
        """Records above this offset are newer. A topic that ends below the letter's record was made anew: all are."""
        extent = self._extents.get(letter.origin.partition)
        is_anew = extent is not None and letter.origin.offset >= extent.end
        return -1 if is_anew else letter.origin.offset

    def _begin_at(self, letter: Letter) -> None:
        partition, offset = letter.origin.partition, letter.origin.offset
        extent = self._extents.get(partition)
        if extent is not None:
            start = max(extent.first, offset) if offset < extent.end else extent.first
            self._starts[partition] = min(start, self._starts.get(partition, start))

    def _set_aside(
        self,
        letter: Letter,
        invalid: InvalidRecord,
        payload: bytes,
        headers: Sequence[tuple[str, bytes]],
    ) -> None:
        if not self._rules.writes:
            return
        stage = REASONS.get(invalid.reason, Stage.IDENTITY)
        again = record_letter(
            letter.origin,
            stage,
            invalid.reason,
            invalid.detail,
            payload,
            self._wall(),
            letter.attempts + 1,
            headers,
        )
        topic = letter.origin.partition.topic
        self._dead_letters.put(again, topic, invalid.reason, lambda: None)

    def _fate(self, span: Span) -> Fate:
        ends = self._ledger.ends[span]
        if span.open or ChangeEnd.HANDED_OVER in ends:
            return Fate.LEFT
        if ChangeEnd.DEAD_LETTERED in ends:
            return Fate.FAILED_AGAIN
        return Fate.SENT if ChangeEnd.DELIVERED in ends else Fate.SUPERSEDED
