"""The demo: the real connector between an embedded broker and a TikTok emulator, and a verdict at the end.

Owns the parts' lifetime, the temporary folder and the signals. What happens while all are up is demo_run's
business, and which accounts, routes and faults there are is scenario's.
"""

import asyncio
import shutil
import signal
import socket
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console

from connector.sandbox import scenario
from connector.sandbox.demo_run import DemoRun, RunFailed
from connector.sandbox.display import Display, display_for
from connector.sandbox.embedded_kafka import EmbeddedKafka, EmbeddedKafkaError
from connector.sandbox.emulator import Emulator
from connector.sandbox.generator import Traffic
from connector.sandbox.progress import Watcher
from connector.sandbox.service_process import ServiceProcess

_EVENTS_PER_PROFILE: Final = 5


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
            if await demo.run(keep=options.keep):
                shutil.rmtree(folder, ignore_errors=True)
                return 0
    except (RunFailed, EmbeddedKafkaError) as failure:
        display.say(f"The demo failed: {failure}")
    except asyncio.CancelledError:
        shutil.rmtree(folder, ignore_errors=True)
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
) -> DemoRun:
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
    watcher = Watcher(session, *addresses)
    return DemoRun(_traffic(options), display, kafka, emulator, service, watcher)


def _traffic(options: Options) -> Traffic:
    return Traffic(
        events=options.events,
        profiles=max(50, options.events // _EVENTS_PER_PROFILE),
        segments=scenario.SEGMENTS,
        seed=options.seed,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
