"""The configuration read again, on real files and virtual time: when it is read, and what is taken."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from connector.reload import Reload
from connector.settings.load import load
from connector.settings.model import Settings
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.reloads import ReloadEnd, ReloadEvents
from connector.telemetry.series import Closed, prepare
from tests.settings.test_policy import policy, under
from tests.settings.trees import TOKENS, changed, put, right
from tests.virtual_time import run

ANOTHER = {"segment": "new", "destination": "emea", "audience_id": "7100000000000000009"}
APPLIED, UNCHANGED, REFUSED = ReloadEnd
SOON = 2.5
"""Two looks: one that sees a change, and one that sees that it is over."""


@pytest.fixture(autouse=True)
def _reading_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread's time is real; what is read is read at once."""

    async def at_once(work: Callable[[], object]) -> object:
        return work()

    monkeypatch.setattr("connector.reload.asyncio.to_thread", at_once)


class Recorder:
    """What would run by the configuration."""

    def __init__(self) -> None:
        self.adopted: list[Settings] = []
        self.dismissals = 0

    def adopt(self, settings: Settings) -> None:
        self.adopted.append(settings)

    def dismiss(self) -> None:
        self.dismissals += 1


class Desk:
    """A configuration on disk, and what reads it again.

    Attributes:
        lines: what the log says.
    """

    def __init__(self, folder: Path, tree: dict[str, Any] | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.folder = folder
        self.path = folder / "connector.yaml"
        self.write(tree or right())
        self.runs = Recorder()
        self.metrics = Catalogue()
        prepare(self.metrics, Closed([], [], [], [], [], [], []))
        told = ReloadEvents(self.metrics, loop.time, loop.time)
        running = load(self.path, TOKENS)
        self.reload = Reload(self.path, TOKENS, running, self.runs, told, loop.time)
        self.lines: list[Any] = []

    def write(self, content: object) -> None:
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        self.path.write_text(text)

    def counts(self) -> list[float]:
        """Of applied, unchanged and refused."""
        return [self.metrics.config_reloads.values[one,] for one in ReloadEnd]

    @property
    def is_well(self) -> bool:
        return self.metrics.config_last_reload_successful.values[()] == 1

    def events(self) -> list[str]:
        return [line["event"].partition(":")[0] for line in self.lines]

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        with capture_logs() as self.lines:
            task = asyncio.create_task(self.reload.run())
            try:
                await asyncio.sleep(SOON)
                yield
            finally:
                task.cancel()
                (ended,) = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended


def on_a_desk(
    folder: Path,
    scenario: Callable[[Desk], Coroutine[Any, Any, None]],
    tree: dict[str, Any] | None = None,
) -> None:
    async def work() -> None:
        desk = Desk(folder, tree)
        async with desk.watching():
            await scenario(desk)

    run(work())


def test_what_does_not_change_is_not_told_of(tmp_path: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await asyncio.sleep(100)
        assert desk.lines == []
        assert desk.counts() == [0, 0, 0]
        assert desk.is_well
        assert desk.reload.last.end is APPLIED
        assert desk.runs.dismissals > 50

    on_a_desk(tmp_path, scenario)


def test_a_changed_file_is_applied_when_it_stood_still_for_a_look(tmp_path: Path) -> None:
    async def scenario(desk: Desk) -> None:
        await asyncio.sleep(100)
        desk.write(changed({"routes[0]": ANOTHER, "log.level": "debug"}))
        await asyncio.sleep(SOON)
        (settings,) = desk.runs.adopted
        assert settings == desk.reload.settings == load(desk.path, TOKENS)
        assert desk.reload.shown()["log"]["level"] == "debug"
        assert desk.counts() == [1, 0, 0]
        (line,) = desk.lines
        assert line == {
            "event": "configuration applied",
            "log_level": "info",
            "routes_added": 1,
            "routes_removed": 1,
            "routes_changed": 0,
            "routes": ["routes[0]"],
            "removed_from": ["routes[0]"],
            "keys": ["log.level"],
        }
        read_at = desk.metrics.config_last_reload_success_timestamp_seconds.values[()]
        assert read_at == desk.reload.last.at == desk.reload.last.in_force_at > 1100.0

    on_a_desk(tmp_path, scenario)


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    async def scenario(desk: Desk) -> None:
        for number in range(20):
            desk.write(changed({"delivery.linger_seconds": number}))
            os.utime(desk.path, (number, number))
            await asyncio.sleep(0.7)
            assert desk.runs.adopted == []
        await asyncio.sleep(SOON)
        assert [one.delivery.linger_seconds for one in desk.runs.adopted] == [19]

    on_a_desk(tmp_path, scenario)


def test_what_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(desk: Desk) -> None:
        reads: list[int] = []

        def slowly(path: Path, environ: Any) -> Settings:
            found = load(path, environ)
            reads.append(1)
            if len(reads) == 1:
                desk.write(changed({"delivery.linger_seconds": 7}))
            return found

        monkeypatch.setattr("connector.reload.load", slowly)
        desk.write(changed({"delivery.linger_seconds": 3.5}))
        await asyncio.sleep(2 * SOON)
        assert [one.delivery.linger_seconds for one in desk.runs.adopted] == [7]

    on_a_desk(tmp_path, scenario)


def test_a_file_that_is_only_touched_is_unchanged(tmp_path: Path) -> None:
    async def scenario(desk: Desk) -> None:
        os.utime(desk.path, (1, 1))
        await asyncio.sleep(SOON)
        assert desk.events() == ["configuration unchanged"]
        assert desk.runs.adopted == []
        assert desk.counts() == [0, 1, 0]
        assert desk.is_well

    on_a_desk(tmp_path, scenario)


def test_the_swap_of_a_folder_by_its_link_is_seen(tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()

    def swap(name: str, tree: object) -> None:
        """As the kubelet does it: a folder of its own, and a link that is replaced at once."""
        (mounted / name).mkdir()
        (mounted / name / "connector.yaml").write_text(yaml.safe_dump(tree))
        os.utime(mounted / name / "connector.yaml", (1, 1))
        (mounted / "..data_tmp").symlink_to(name)
        (mounted / "..data_tmp").rename(mounted / "..data")

    async def scenario(desk: Desk) -> None:
        swap("..first", right())
        desk.path.unlink()
        desk.path.symlink_to(mounted / "..data" / "connector.yaml")
        await asyncio.sleep(SOON)
        assert desk.counts() == [0, 1, 0]
        swap("..second", changed({"routes[1]": ANOTHER}))
        await asyncio.sleep(SOON)
        assert desk.counts() == [1, 1, 0]
        assert desk.reload.settings.routes[1].segment == "new"

    on_a_desk(tmp_path, scenario)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "routes: [",
        changed({"routes[0].destination": "nowhere"}),
        changed({"routes": []}),
        {"kafka": {}},
        None,
    ],
)
def test_a_broken_file_changes_nothing_and_is_told_of_once(tmp_path: Path, content: object) -> None:
    async def scenario(desk: Desk) -> None:
        before = desk.reload.settings
        began_at = desk.reload.last.in_force_at
        if content is None:
            desk.path.unlink()
        else:
            desk.write(content)
        await asyncio.sleep(100)
        assert desk.runs.adopted == []
        assert desk.reload.settings is before
        assert desk.events() == ["configuration refused"]
        assert desk.lines[0]["problems"] == [*desk.reload.last.problems] != []
        assert desk.counts() == [0, 0, 1]
        assert not desk.is_well
        assert desk.reload.last.end is REFUSED
        assert desk.reload.last.in_force_at == began_at
        desk.write(right())
        await asyncio.sleep(SOON)
        assert desk.events()[1:] == ["configuration unchanged"]
        assert desk.is_well
        assert desk.reload.last.problems == ()

    on_a_desk(tmp_path, scenario)


def test_a_key_that_a_start_alone_reads_refuses_all_and_is_named(tmp_path: Path) -> None:
    async def scenario(desk: Desk) -> None:
        desk.write(changed({"routes[0]": ANOTHER, "kafka.group_id": "x", "admin.port": 1}))
        await asyncio.sleep(SOON)
        assert desk.runs.adopted == []
        assert [one.partition(":")[0] for one in desk.reload.last.problems] == [
            "kafka.group_id",
            "admin.port",
        ]
        assert all("restart to apply" in one for one in desk.reload.last.problems)

    on_a_desk(tmp_path, scenario)


def test_a_file_that_a_refused_configuration_names_may_come_later(tmp_path: Path) -> None:
    async def scenario(desk: Desk) -> None:
        missing = tmp_path / "policy.yaml"
        desk.write(put(right(), "governance.policy_file", str(missing)))
        await asyncio.sleep(SOON)
        assert desk.counts() == [0, 0, 1]
        missing.write_text(yaml.safe_dump({"known_labels": [], "require_consent": []}))
        await asyncio.sleep(40)
        assert desk.counts() == [0, 0, 2], "another problem is told of"
        missing.write_text(yaml.safe_dump({"rules": [{"name": "x", "deny": {"labels": ["y"]}}]}))
        await asyncio.sleep(40)
        assert desk.counts() == [1, 1, 2], "applied, and read again: the policy is watched from now"

    on_a_desk(tmp_path, scenario)


def test_asked_for_it_is_read_at_once_and_told_of(tmp_path: Path) -> None:
    async def scenario(desk: Desk) -> None:
        for _ in range(3):
            desk.reload.ask()
            await asyncio.sleep(0.1)
        desk.write(changed({"log.level": "error"}))
        desk.reload.ask()
        await asyncio.sleep(0.1)
        assert desk.counts() == [1, 3, 0]
        desk.write("no: more")
        desk.reload.ask()
        await asyncio.sleep(0.1)
        desk.reload.ask()
        await asyncio.sleep(0.1)
        assert desk.counts() == [1, 3, 2]

    on_a_desk(tmp_path, scenario)


def test_what_changed_between_the_start_and_the_first_look_is_noticed(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk(tmp_path)
        desk.write(changed({"log.level": "error"}))
        async with desk.watching():
            assert desk.counts() == [1, 0, 0]

    run(work())


def test_a_policy_that_comes_to_deny_what_runs_is_critical_and_stops_nothing(
    tmp_path: Path,
) -> None:
    async def scenario(desk: Desk) -> None:
        under(tmp_path, put(policy(), "segments[0].match", "lost"))
        await asyncio.sleep(SOON)
        assert desk.runs.adopted == []
        assert [line["log_level"] for line in desk.lines] == ["error", "critical"]
        (denied,) = desk.lines[1]["problems"]
        assert denied.startswith("routes[1]: the policy's rule no-health denies")
        assert not desk.is_well
        # Taking out the route is what mends it, without a restart.
        tree = under(tmp_path, put(policy(), "segments[0].match", "lost"))
        del tree["routes"][1]
        desk.write(tree)
        await asyncio.sleep(SOON)
        assert desk.is_well
        assert [one.segment for one in desk.reload.settings.routes] == ["gold"]

    on_a_desk(tmp_path, scenario, under(tmp_path, policy()))


def test_the_environment_wins_as_at_the_start(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk(tmp_path)
        environ = {**TOKENS, "CONNECTOR_DELIVERY__LINGER_SECONDS": "9"}
        running = load(desk.path, environ)
        told = ReloadEvents(desk.metrics, lambda: 0.0, lambda: 0.0)
        clock = asyncio.get_running_loop().time
        desk.reload = Reload(desk.path, environ, running, desk.runs, told, clock)
        async with desk.watching():
            desk.write(changed({"delivery.linger_seconds": 2, "delivery.max_rows": 5}))
            await asyncio.sleep(SOON)
        (settings,) = desk.runs.adopted
        assert (settings.delivery.linger_seconds, settings.delivery.max_rows) == (9, 5)

    run(work())
