"""One replay: the parts' lifetime, signals, and when it is done.

Reads top to bottom as a replay goes: read the letters, feed the lanes, look at the source, send. What sending means
is connector.replay.sending's.
"""

import asyncio
from dataclasses import dataclass, field

from connector.kafka.log import partitions_of
from connector.replay.assembly import ReplayParts, read_dead_letters
from connector.replay.choice import Choice, Wanted
from connector.replay.feed import Extent, Feed, Rules
from connector.replay.scan import Scan
from connector.replay.sending import Patience, Sending
from connector.replay.summary import Fate, Summary
from connector.settings.credentials import Secrets
from connector.settings.model import Settings
from connector.stopping import Stop

_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Request:
    """What to replay, and how.

    Attributes:
        share: the part of the app's allowance of calls that it may use.
        stuck_seconds: with nothing but halted work left for so long, it gives up.
    """

    wanted: Wanted = field(default_factory=Wanted)
    share: float = 0.1
    is_dry_run: bool = False
    with_past: bool = False
    stuck_seconds: float = 60.0


class Replay:
    """One replay: `run` returns when it is over."""

    def __init__(self, settings: Settings, secrets: Secrets, request: Request) -> None:
        self._settings = settings
        self._secrets = secrets
        self._request = request
        self._clock = asyncio.get_running_loop().time
        self._parts = ReplayParts(settings, secrets, self._clock, request.share)
        self._choice = Choice(request.wanted)
        self._chosen = 0
        self._feed: Feed | None = None
        self._repeated = 0
        self._stop = Stop()

    async def run(self) -> Summary:
        """Replay until nothing is left to do, or a signal. Raises ConnectorError for what a user can act on."""
        self._stop.listen()
        parts = self._parts
        is_stuck = False
        try:
            scan = await self._stop.unless_wanted(self._prepare())
            if scan is not None and not self._request.is_dry_run:
                async with parts.client:
                    is_stuck = await self._sending(scan).run()
                self._repeated = scan.repeated
        finally:
            await parts.log.stop(_CLOSE_SECONDS)
            await parts.letters.stop(_CLOSE_SECONDS)
            if parts.suppression is not None:
                await parts.suppression.follower.stop(_CLOSE_SECONDS)
        return self._summary(is_stuck=is_stuck)

    async def _prepare(self) -> Scan:
        """Learn who is suppressed, read and choose the letters, fill the lanes, and drop what has changed since."""
        parts, choice = self._parts, self._choice
        waiting = parts.life.waiting_for_kafka
        await parts.load_suppressed(waiting)
        await read_dead_letters(self._settings, self._secrets, choice.take, waiting)
        letters = choice.letters()
        self._chosen = len(letters)
        topics = {one.origin.partition.topic for one in letters}
        servers = self._settings.kafka.bootstrap_servers
        there = await partitions_of(
            servers, parts.security, sorted(filter(parts.reading.knows, topics))
        )
        extents = {one: Extent(*some) for one, some in (await parts.log.start(there)).items()}
        parts.checkpoint.assign({one.origin.partition for one in letters})
        rules = Rules(self._request.with_past, writes=not self._request.is_dry_run)
        self._feed = feed = parts.feed(extents, rules)
        feed.take(letters)
        parts.log.begin(feed.starts())
        scan = parts.scan(feed)
        await scan.look()
        feed.scanned()
        return scan

    def _sending(self, scan: Scan) -> Sending:
        patience = Patience(
            self._request.stuck_seconds, self._settings.tiktok.request_timeout_seconds
        )
        return Sending(self._parts, scan, patience, self._stop.is_wanted, self._clock)

    def _summary(self, *, is_stuck: bool) -> Summary:
        fates = [] if self._feed is None else self._feed.fates()
        summary = Summary(
            self._request.is_dry_run,
            self._chosen,
            self._choice.unparsable,
            self._repeated,
            is_stuck,
        )
        summary.fates.update(fates)
        summary.fates[Fate.LEFT] += self._chosen - len(fates)
        if self._request.is_dry_run and self._feed is not None and self._feed.is_scanned:
            # What waits in the lanes is what would be sent.
            summary.fates[Fate.SENT] = summary.fates.pop(Fate.LEFT)
        return summary
