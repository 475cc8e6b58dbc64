"""The configuration read again while the connector runs: when its files change, and when asked.

Owns when it is read, whether it is taken, and which one runs. It is taken whole or refused whole. How the parts take
it up is the composition root's; what may change is connector.settings.changes'.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from connector.errors import SettingsError
from connector.settings.changes import changes
from connector.settings.credentials import resolve_secrets
from connector.settings.document import path_of
from connector.settings.load import load
from connector.settings.model import Settings
from connector.settings.policy import denials
from connector.settings.shown import without_secrets
from connector.telemetry.reloads import ReloadEnd, ReloadEvents

_LOOK_SECONDS = 1.0
"""What has changed since the last look may be half written, or one of two files: it is read when it stood still."""

_AGAIN_SECONDS = 30.0
"""A file that a refused configuration names may come later."""


class Runs(Protocol):
    """What runs by the configuration."""

    def adopt(self, settings: Settings) -> None:
        """Run by these settings from now on, as far as they may change. Without a wait."""

    def dismiss(self) -> None:
        """Let go of what is left of removed routes, once it is done."""


class Reading(NamedTuple):
    """The last reading that counts.

    Attributes:
        at: when it ended, on our clock.
        in_force_at: when what runs was last read.
        problems: why it was refused, a line each.
    """

    end: ReloadEnd
    at: float
    in_force_at: float
    problems: tuple[str, ...] = ()


class _Refused(NamedTuple):
    """A configuration that is wrong, or changes what a start alone reads.

    Attributes:
        denied: what the policy says against routes that run, a line each.
    """

    problems: tuple[str, ...]
    denied: tuple[str, ...]


_Stamp = tuple[object, ...]
"""What changes when a file is written, replaced, or reached by another way."""


class Reload:
    """Reads the configuration again: `run`, and `ask` to have it done at once.

    Args:
        path: as the command line gave it.
        settings: what runs.
        clock: monotonic seconds.

    Attributes:
        settings: what runs now.
        last: the last reading.
    """

    def __init__(
        self,
        path: Path | None,
        environ: Mapping[str, str],
        settings: Settings,
        runs: Runs,
        telemetry: ReloadEvents,
        clock: Callable[[], float],
    ) -> None:
        now = clock()
        self.settings = settings
        self.last = Reading(ReloadEnd.APPLIED, now, now)
        self._path = path
        self._environ = environ
        self._runs = runs
        self._telemetry = telemetry
        self._clock = clock
        self._asked = asyncio.Event()
        telemetry.read()

    def shown(self) -> dict[str, Any]:
        """What runs, without secrets."""
        return without_secrets(self.settings)

    def ask(self) -> None:
        """Read it now, and say what came of it, whether or not a file has changed."""
        self._asked.set()

    async def run(self) -> None:
        """Watch for ever."""
        seen, read = self._stamp(), None  # it may have changed since the start read it
        while True:
            is_asked = await self._wait()
            self._runs.dismiss()
            now = self._stamp()
            is_settled, seen = now == seen, now
            is_other = read is not None and now != read
            is_due = is_settled and (now != read or self._is_again())
            if (is_asked or is_due) and await self._read(now, is_told=is_asked or is_other):
                read = now

    async def _wait(self) -> bool:
        """Wait for the next look; whether it was asked for."""
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    def _is_again(self) -> bool:
        is_refused = self.last.end is ReloadEnd.REFUSED
        return is_refused and self._clock() - self.last.at >= _AGAIN_SECONDS

    async def _read(self, stamp: _Stamp, *, is_told: bool) -> bool:
        """Read it and follow what it says; False when it has changed meanwhile, and nothing was done.

        Args:
            is_told: whether to tell of it also when nothing is new.
        """
        found = await asyncio.to_thread(self._found)
        if self._stamp() != stamp:
            return False
        if isinstance(found, _Refused):
            self._refuse(found, is_told=is_told)
        elif found != self.settings:
            self._apply(found)
        elif is_told or self.last.end is ReloadEnd.REFUSED:
            self.last = Reading(ReloadEnd.UNCHANGED, self._clock(), self._clock())
            self._telemetry.unchanged()
        return True

    def _found(self) -> Settings | _Refused:
        """What is on disk, judged as at a start. It may take its time, and changes nothing."""
        try:
            settings = load(self._path, self._environ)
            resolve_secrets(settings, self._environ)
            frozen = changes(self.settings, settings).frozen
            problems = tuple(f"{path}: {_FROZEN}" for path in frozen)
        except SettingsError as error:
            problems = tuple(error.problems)
        else:
            if not problems:
                return settings
        return _Refused(problems, tuple(denials(self.settings)))

    def _apply(self, settings: Settings) -> None:
        found = changes(self.settings, settings)
        self._runs.adopt(settings)
        self.settings = settings
        self.last = Reading(ReloadEnd.APPLIED, self._clock(), self._clock())
        self._telemetry.applied(found.added, found.removed, found.changed, found.keys)

    def _refuse(self, refused: _Refused, *, is_told: bool) -> None:
        if is_told or refused.problems != self.last.problems:
            self._telemetry.refused(refused.problems)
            if refused.denied:
                self._telemetry.policy_denies(refused.denied)
        in_force_at = self.last.in_force_at
        self.last = Reading(ReloadEnd.REFUSED, self._clock(), in_force_at, refused.problems)

    def _stamp(self) -> _Stamp:
        files = (path_of(self._path, self._environ), self.settings.governance.policy_file)
        return tuple(_stamp_of(file) for file in files if file is not None)


_FROZEN = "has changed, and is read at a start alone: restart to apply"


def _stamp_of(file: Path) -> _Stamp:
    """Of what the path leads to: a ConfigMap is swapped by a link to its whole directory."""
    try:
        target = file.resolve()
        found = target.stat()
    except (OSError, RuntimeError, ValueError):  # missing, a loop of links, no path at all
        return (None,)
    return (str(target), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
