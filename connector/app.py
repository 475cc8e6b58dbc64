"""The composition root's second half: the parts' lifetime, signals, and the order of starting and stopping.

Reads top to bottom as a run goes: listen, reach Kafka, run, stop or come to the end, drain, leave.
"""

import asyncio
import gc
import os
import signal
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Protocol

from connector.assembly import Parts
from connector.errors import ConnectorError
from connector.front import Front
from connector.reload import Reload
from connector.settings.credentials import Secrets
from connector.settings.model import Settings
from connector.stopping import Stop
from connector.watchdog import LOOP_SECONDS, LoopGuard, Watchdog, signs_of_life

_STUCK_SECONDS = 60.0
"""With nothing but halted work left for so long, reading up to the end gives up."""

_CLOSE_SECONDS = 5.0
_LAG_INTERVAL = 0.5
_LOG_INTERVAL = 5.0
_SECRET_INTERVAL = 2.0


class Client(Protocol):
    """What is connected to Kafka."""

    async def stop(self, timeout: float) -> None:
        """Disconnect within the time."""

    def renew_secrets(self) -> None:
        """Let the next connection be made with what the secrets are now."""


def _clients(parts: Parts) -> list[Client]:
    clients: list[Client] = [parts.source, parts.letters]
    return clients if parts.suppression is None else [*clients, parts.suppression.follower]


class Application:
    """One run of the connector: `run` returns when it has stopped.

    Args:
        path: where the settings came from, as the command line gave it.
        until_end: read up to the ends seen at start, deliver, commit and stop.
    """

    def __init__(
        self, path: Path | None, settings: Settings, secrets: Secrets, *, until_end: bool = False
    ) -> None:
        clock = asyncio.get_running_loop().time
        self._settings = settings
        self._secrets = secrets
        self._until_end = until_end
        self._clock = clock
        self._stop = Stop()
        self._parts = Parts(settings, secrets, clock, until_end=until_end)
        self._reload = Reload(path, os.environ, settings, self._parts, self._parts.on_reload, clock)
        self._front = Front(settings, secrets, self._parts, self._reload, clock)
        self._guard = LoopGuard(LOOP_SECONDS, self._parts.life)

    async def run(self) -> None:
        """Run until a signal, or until the end. Raises ConnectorError for what a user can act on."""
        settings, parts = self._settings, self._parts
        self._stop.listen()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload.ask)
        await self._front.admin.start(settings.admin.host, settings.admin.port)
        try:
            parts.life.starting(
                [topic.name for topic in settings.kafka.topics],
                [destination.name for destination in settings.destinations],
            )
            async with parts.client:
                await self._run_with_kafka()
        finally:
            await self._front.admin.stop()
            parts.life.stopped(parts.backlog.pending)

    async def _run_with_kafka(self) -> None:
        kafka = self._settings.kafka
        parts = self._parts
        try:
            await self._stop.unless_wanted(self._reach_kafka(kafka.startup_timeout_seconds))
            if not self._stop.is_wanted():
                await self._run_tasks()
        finally:
            self._front.status.state = "stopping"
            self._guard.stop()
            await asyncio.gather(*(client.stop(_CLOSE_SECONDS) for client in _clients(parts)))

    async def _reach_kafka(self, timeout: float) -> None:
        parts = self._parts
        if parts.suppression is not None:
            # Before the group is joined: nothing may be handled without it, and it may take its time.
            await parts.suppression.follower.start(timeout, parts.life.waiting_for_kafka)
            await parts.suppression.keeper.load()
        await parts.source.start(
            parts.ownership,
            timeout,
            parts.life.waiting_for_kafka,
            requires=(self._settings.kafka.dead_letter_topic,),
            on_out_of_range=parts.on_intake.out_of_range,
        )
        await parts.letters.start()

    async def _run_tasks(self) -> None:
        """Run all endless tasks until it is time to stop; a task that fails takes the others down."""
        parts = self._parts
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(task)
                for task in (
                    parts.dead_letters.run(),
                    parts.dispatcher.run(),
                    parts.committer.run(),
                    parts.intake.run(),
                    self._front.lags.run(),
                    self._front.history.run(),
                    self._reload.run(),
                    self._watch_secrets(),
                    self._measure_lag(),
                    _sum_up_log(parts),
                    self._watchdog().run(),
                    *self._people_tasks(),
                    *(() if self._until_end else (parts.matched_users.run(),)),
                    *(parts.probes.watch(account) for account in parts.backlog.accounts),
                )
            ]
            # What start-up made lives as long as the process: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 20, 50)
            self._guard.start()
            self._front.status.state = "running"
            parts.life.running(self._front.admin.port)
            stuck = not await self._until_time_to_stop()
            self._front.status.state = "stopping"
            await parts.ownership.leave()
            for task in tasks:
                task.cancel()
        if stuck:
            raise ConnectorError(
                "nothing but halted work is left: see the log for what TikTok refuses; "
                "what is resolved is committed"
            )

    def _people_tasks(self) -> Iterable[Coroutine[None, None, None]]:
        """What follows the suppression topic, where there is one."""
        parts = self._parts
        if parts.people is None:
            return ()
        touch = parts.dispatcher.touch
        return (
            parts.people.keeper.run(parts.backlog, touch, parts.pipeline.forget_repeats),
            parts.people.erasure.run(self._clock, touch),
        )

    async def _until_time_to_stop(self) -> bool:
        """Wait for a signal or the end; whether all that was to be done is done."""
        if not self._until_end:
            await self._stop.wait()
            self._parts.life.stopping("signal")
            return True
        done = await self._stop.unless_wanted(self._until_delivered())
        self._parts.life.stopping("the end is reached" if done else "signal or stuck")
        return done is not False

    async def _until_delivered(self) -> bool:
        """Wait until everything is read, delivered and committed; False when only halted work is left."""
        parts = self._parts
        stuck_since: float | None = None
        read = False
        while True:
            await asyncio.sleep(0.1)
            had_read = read
            read = parts.intake.is_done() and not (parts.people and len(parts.people.erasure))
            if read and not had_read:
                parts.dispatcher.flush()  # nothing more comes that would be worth waiting for
            if read and not parts.backlog.pending and not len(parts.dead_letters):
                if await parts.committer.commit():
                    return True
            elif parts.backlog.is_stuck() and (read or not parts.pauses.is_reading()):
                stuck_since = stuck_since or self._clock()
                if self._clock() - stuck_since >= _STUCK_SECONDS:
                    return False
            else:
                stuck_since = None

    async def _watch_secrets(self) -> None:
        """Let new connections to Kafka, and requests to us, be judged by what the secret files hold now."""
        parts = self._parts
        while True:
            await asyncio.sleep(_SECRET_INTERVAL)
            self._front.access.renew()
            password = self._secrets.kafka_password
            changed = password is not None and password.refresh()
            if parts.security.refresh() or changed:
                for client in _clients(parts):
                    client.renew_secrets()
                parts.life.secret_renewed("kafka")

    def _watchdog(self) -> Watchdog:
        parts = self._parts
        signs = signs_of_life(
            parts.intake,
            parts.checkpoint,
            parts.committer,
            parts.backlog,
            parts.dead_letters,
            self._settings.delivery.drain_seconds,
        )
        return Watchdog(signs, parts.source, parts.life, self._clock)

    async def _measure_lag(self) -> None:
        """Measure how late the event loop is, and with it whether anything holds it; tell the guard that it turns."""
        while True:
            due = self._clock() + _LAG_INTERVAL
            await asyncio.sleep(_LAG_INTERVAL)
            self._guard.beat()
            self._parts.life.loop_lag(max(0.0, self._clock() - due))


async def _sum_up_log(parts: Parts) -> None:
    """Let the log say in time how much it left out, though nothing else is said."""
    while True:
        await asyncio.sleep(_LOG_INTERVAL)
        parts.life.lines_left_out()
