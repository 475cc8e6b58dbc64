"""One run of the demo, its parts being up: feed, watch, stop, compare.

Owns when a run is over - all that was fed is committed - and when it has failed. Starts and ends no part but the
connector, and that only to see it stop as it should.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from connector.sandbox import scenario
from connector.sandbox.compare import compare
from connector.sandbox.display import Display
from connector.sandbox.embedded_kafka import EmbeddedKafka, Stored, TopicReader
from connector.sandbox.emulator import Emulator
from connector.sandbox.feeder import Feeder
from connector.sandbox.generator import Traffic, generate
from connector.sandbox.model import Model
from connector.sandbox.progress import Filling, Metrics, Progress, Watcher
from connector.sandbox.service_process import ServiceProcess

_LOOK_SECONDS: Final = 0.5
_STALL_SECONDS: Final = 90.0

Result = TypeVar("Result")


class RunFailed(Exception):  # noqa: N818  -- a run's one way to fail
    """The run cannot go on. The text says why."""


class DemoRun:
    """A demo whose parts are running.

    Args:
        service: the connector, started.
    """

    def __init__(
        self,
        traffic: Traffic,
        display: Display,
        kafka: EmbeddedKafka,
        emulator: Emulator,
        service: ServiceProcess,
        watcher: Watcher,
    ) -> None:
        self._service = service
        self._traffic = traffic
        self._display = display
        self._emulator = emulator
        self._watcher = watcher
        self._model = Model(scenario.ROUTES, scenario.IDENTITIES)
        self._feeder = Feeder(kafka, scenario.TOPIC, scenario.GROUP, self._model)
        self._letters = _Letters(kafka.reader(scenario.LETTERS))

    async def run(self, *, keep: bool) -> bool:
        """Feed, wait, stop, compare; return whether all is as it should be.

        Args:
            keep: compare first, and stop when this task is cancelled.

        Raises:
            RunFailed: it cannot be brought to its end.
        """
        with self._display:
            await self._unless_it_ends(self._feed_and_watch())
        if keep:
            equal = await self._compare()
            await self._keep()
            return await self._stop() and equal
        stopped = await self._stop()
        return await self._compare() and stopped

    async def _feed_and_watch(self) -> None:
        feeding = asyncio.create_task(self._feeder.feed(generate(self._traffic)))
        try:
            await self._watch(feeding)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    async def _watch(self, feeding: asyncio.Task[None]) -> None:
        """Show progress until all that is fed is committed."""
        clock = asyncio.get_running_loop().time
        start = moved = clock()
        mark: tuple[float, ...] = ()
        while True:
            committed = await self._feeder.look()
            await self._letters.read()
            metrics = await self._watcher.metrics()
            self._display.show(await self._progress(clock() - start, committed, metrics))
            if feeding.done():
                feeding.result()
                if self._feeder.is_consumed:
                    return
            now = (self._feeder.fed, committed, metrics.delivered)
            if now != mark:
                mark, moved = now, clock()
            if clock() - moved > _STALL_SECONDS:
                raise RunFailed(f"nothing has moved for {_STALL_SECONDS:.0f} seconds")
            await asyncio.sleep(_LOOK_SECONDS)

    async def _progress(self, seconds: float, committed: int, metrics: Metrics) -> Progress:
        members = await self._watcher.members()
        records, calls = self._watcher.rates(seconds, metrics)
        expected = self._model.audiences
        audiences = tuple(
            Filling(name, members.get(one, 0), sum(map(len, expected[one].values())))
            for one, name in scenario.audience_names().items()
        )
        return Progress(
            seconds,
            self._traffic.events,
            self._feeder.fed,
            committed,
            metrics,
            records,
            calls,
            audiences,
        )

    async def _compare(self) -> bool:
        await self._letters.read()
        names = scenario.audience_names()
        actual = {one: self._emulator.members(one) for one in names}
        comparison = compare(
            self._model.audiences, actual, self._model.invalid, self._letters.found, names
        )
        self._display.result(comparison)
        return comparison.equal

    async def _keep(self) -> None:
        """Leave everything running until Ctrl-C."""
        for line in self._watcher.addresses():
            self._display.say(line)
        self._display.say("All of it goes on running. Ctrl-C ends it.")
        with contextlib.suppress(asyncio.CancelledError):
            await self._unless_it_ends(asyncio.Event().wait())

    async def _stop(self) -> bool:
        """Stop the connector; return whether it did so as it should."""
        code = await self._service.stop()
        if code != 0:
            self._display.say(f"The connector did not stop as it should: exit code {code}.")
        return code == 0

    async def _unless_it_ends(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what the work returns. The connector's end is the end of it."""
        working = asyncio.create_task(work)
        ending = asyncio.create_task(self._service.ended())
        try:
            await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                raise RunFailed(f"the connector ended by itself, exit code {ending.result()}")
            return working.result()
        finally:
            working.cancel()
            ending.cancel()
            await asyncio.gather(working, ending, return_exceptions=True)


class _Letters:
    """The dead letters read so far, by the record each stands for."""

    def __init__(self, reader: TopicReader) -> None:
        self.found: set[tuple[int, int]] = set()
        self._reader = reader

    async def read(self) -> None:
        self.found.update(map(letter_source, await self._reader.read()))


def letter_source(letter: Stored) -> tuple[int, int]:
    """Return (partition, offset) of the record that a letter stands for; (-1, -1) if it does not say."""
    source = dict(letter.headers).get("connector.source", b"").decode(errors="replace")
    topic, _, place = source.partition(":")
    partition, _, offset = place.partition(":")
    if topic != scenario.TOPIC or not (partition.isdecimal() and offset.isdecimal()):
        return (-1, -1)
    return (int(partition), int(offset))
