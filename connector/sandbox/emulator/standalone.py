"""The emulator as a process of its own: runs until SIGTERM or SIGINT, and says where to look.

Knows the words a person reads at the start; the command line's arguments are not its business.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator

from connector.sandbox.emulator.admin_edge import PREFIX
from connector.sandbox.emulator.server import Emulator
from connector.sandbox.emulator.tiktok_facts import BASE_PATH


def run(
    host: str,
    port: int,
    emulator: Emulator,
    *,
    token: str | None = None,
    announce: Callable[[str], None] = print,
) -> None:
    """Run an emulator until SIGTERM or SIGINT.

    Args:
        host: address to listen on.
        port: port to listen on, 0 for a free one.
        emulator: not started yet.
        token: told to the user; None where it may be somebody's secret.
        announce: takes the lines that say where it listens.

    Raises:
        OSError: the address cannot be listened on.
    """
    asyncio.run(_serve(host, port, emulator, token, announce))


async def _serve(
    host: str, port: int, emulator: Emulator, token: str | None, announce: Callable[[str], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    bound = await emulator.start(host, port)
    for line in _welcome(f"http://{f'[{host}]' if ':' in host else host}:{bound}", token):
        announce(line)
    await stop.wait()
    await emulator.stop()


def _welcome(root: str, token: str | None) -> Iterator[str]:
    yield f"TikTok emulator listening on {root}{BASE_PATH}"
    yield f"Access-Token: {token or 'as declared in the accounts file'}"
    yield f"What clients did:  curl -s {root}{PREFIX}/stats"
    yield f"Who is where:      curl -s '{root}{PREFIX}/audiences?members=1'"
