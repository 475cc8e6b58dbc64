"""The demo: the real connector between an embedded broker and a TikTok emulator, and a verdict at the end.

Owns the order of things: start all, feed, wait until everything is committed, stop, compare. Each part is
somebody else's module; what they mean by it stands in scenario.
"""

import asyncio
import contextlib
import shutil
import signal
import socket
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
from rich.console import Console

from connector.sandbox import scenario
from connector.sandbox.compare import compare
from connector.sandbox.display import Display, display_for
from connector.sandbox.embedded_kafka import (
    EmbeddedKafka,
    EmbeddedKafkaError,
    Stored,
    TopicReader,
)
from connector.sandbox.emulator import Emulator
from connector.sandbox.feeder import Feeder
from connector.sandbox.generator import Traffic, generate
from connector.sandbox.model import Model
from connector.sandbox.progress import Filling, Metrics, Progress, Watcher
from connector.sandbox.service_process import ServiceProcess

_LOOK_SECONDS: Final = 0.5
_STALL_SECONDS: Final = 90.0
_EVENTS_PER_PROFILE: Final = 5

Result = TypeVar("Result")


class DemoFailed(Exception):  # noqa: N818  -- the demo's one way to fail
    """The demo cannot go on. The text says why."""


@dataclass(frozen=True)
class Options:
    """What the user may choose.

    Attributes:
        port: where the connector's HTTP side listens; 0 takes a free one.
        keep: leave everything running after the comparison.
    """

    events: int = 100_000
    seed: int = 1
    port: int = 0
    keep: bool = False


def main(options: Options) -> int:
    """Run the demo and return its exit code: 0 if and only if all is equal. Ctrl-C ends it cleanly."""
    return asyncio.run(_until_interrupted(options, display_for(Console())))


async def _until_interrupted(options: Options, display: Display) -> int:
    """Run it as a task that SIGINT and SIGTERM cancel: it stops the others in order."""
    task = asyncio.create_task(_in_a_folder(options, display))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        display.say("Stopping the connector. Once more ends it at once.")
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        display.say("Stopped before the comparison was through.")
        return 1


async def _in_a_folder(options: Options, display: Display) -> int:
    """Run it in a temporary folder, which is kept when there is something in it to look at."""
    folder = Path(tempfile.mkdtemp(prefix="connector-demo-"))
    service = ServiceProcess(folder / "connector.yaml", folder / "connector.log")
    try:
        async with AsyncExitStack() as stack:
            demo = await _start(options, display, service, folder, stack)
            if await demo.run():
                shutil.rmtree(folder)
                return 0
    except (DemoFailed, EmbeddedKafkaError) as failure:
        display.say(f"The demo failed: {failure}")
    except asyncio.CancelledError:
        shutil.rmtree(folder)
        raise
    for line in service.last_lines():
        display.say(f"  | {line}")
    display.say(f"The connector's configuration and log: {folder}")
    return 1


async def _start(
    options: Options,
    display: Display,
    service: ServiceProcess,
    folder: Path,
    stack: AsyncExitStack,
) -> "_Demo":
    """Bring up all parts; the stack takes them down, the connector first."""
    kafka = EmbeddedKafka()
    stack.push_async_callback(kafka.stop)
    await kafka.start()
    for topic in (scenario.TOPIC, scenario.LETTERS):
        await kafka.create_topic(topic)
    emulator = Emulator(scenario.accounts(), scenario.limits(), options.seed)
    stack.push_async_callback(emulator.stop)
    emulator_port = await emulator.start("127.0.0.1", 0)
    emulator.add_faults(scenario.faults())
    admin_port = options.port or _free_port()
    scenario.write_configuration(folder, kafka.bootstrap_servers, emulator_port, admin_port)
    session = await stack.enter_async_context(aiohttp.ClientSession())
    addresses = (f"http://127.0.0.1:{admin_port}", f"http://127.0.0.1:{emulator_port}")
    stack.push_async_callback(service.stop)
    await service.start()
    display.say(f"Connector: {addresses[0]}/status and /metrics")
    return _Demo(options, display, kafka, emulator, service, Watcher(session, *addresses))


class _Demo:
    """A demo whose parts are running."""

    def __init__(
        self,
        options: Options,
        display: Display,
        kafka: EmbeddedKafka,
        emulator: Emulator,
        service: ServiceProcess,
        watcher: Watcher,
    ) -> None:
        self._service = service
        self._options = options
        self._display = display
        self._emulator = emulator
        self._watcher = watcher
        self._model = Model(scenario.ROUTES, scenario.IDENTITIES)
        self._feeder = Feeder(kafka, scenario.TOPIC, scenario.GROUP, self._model)
        self._letters = _Letters(kafka.reader(scenario.LETTERS))

    async def run(self) -> bool:
        """Feed, wait, stop, compare; return whether all is as it should be."""
        with self._display:
            await self._unless_it_ends(self._feed_and_watch())
        if self._options.keep:
            equal = await self._compare()
            await self._keep()
            return await self._stop() and equal
        stopped = await self._stop()
        return await self._compare() and stopped

    async def _feed_and_watch(self) -> None:
        traffic = Traffic(
            events=self._options.events,
            profiles=max(50, self._options.events // _EVENTS_PER_PROFILE),
            segments=scenario.SEGMENTS,
            seed=self._options.seed,
        )
        feeding = asyncio.create_task(self._feeder.feed(generate(traffic)))
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
                raise DemoFailed(f"nothing has moved for {_STALL_SECONDS:.0f} seconds")
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
            self._options.events,
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
                raise DemoFailed(f"the connector ended by itself, exit code {ending.result()}")
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
