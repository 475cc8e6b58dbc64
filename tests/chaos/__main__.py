"""A bounded run of load under misfortune on a real broker, with a verdict.

    python -m tests.chaos [--seconds 600] [--seed S]

Ends by comparing audiences, letters and offsets with the model. Exit 0 only when nothing is lost and nothing wrong.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from connector.sandbox.generator import Traffic, generate, segment_names
from tests.chaos.driver import Driver
from tests.end_to_end.deployment import Deployment, Emulator, until
from tests.kafka_broker import Broker

_AUDIENCES = 20
_EVENTS_A_SECOND = 2_000


def main(seconds: float, seed: int) -> None:
    """Run for so long, then calm down, wait until all is committed, and compare."""
    print(f"seed {seed}, {seconds:.0f} seconds", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        broker = Broker().start()
        emulator = Emulator(folder, _AUDIENCES, 100)
        deployment = Deployment(
            folder,
            broker,
            emulator.base_url,
            segments=segment_names(_AUDIENCES),
            kafka__session_timeout_seconds=3,
            tiktok__request_timeout_seconds=2,
            tiktok__rate_limit={"queries_per_second": 100},
            delivery={
                "linger_seconds": 0.2,
                "drain_seconds": 5,
                "retry_max_seconds": 2,
                "max_rows": 200,
            },
        )
        driver = Driver(seed, deployment, emulator, broker)
        try:
            _run(seconds, seed, deployment, driver)
            verdict = _settle(deployment, driver, emulator)
        finally:
            deployment.close()
            emulator.end()
            broker.stop()
    _report(driver, verdict)


def _run(seconds: float, seed: int, deployment: Deployment, driver: Driver) -> None:
    """Feed and strike by turns."""
    chance = random.Random(seed + 1)
    total = int(seconds * _EVENTS_A_SECOND)
    events = generate(Traffic(events=total, profiles=total // 8, segments=_AUDIENCES, seed=seed))
    begun = time.monotonic()
    driver.keep_running()
    while (passed := time.monotonic() - begun) < seconds:
        due = int(passed * _EVENTS_A_SECOND) - sum(deployment.offsets)
        deployment.feed([event for _, event in zip(range(due), events, strict=False)])
        time.sleep(chance.uniform(0.2, 2.0))
        driver.strike()


def _settle(deployment: Deployment, driver: Driver, emulator: Emulator) -> dict[str, float]:
    """Wait until everything is committed; the verdict as figures."""
    driver.calm()
    until(deployment.is_all_committed, 120, "everything to be committed")
    assert driver.end() == 0
    deployment.verdict(emulator)
    stats = emulator.stats()
    events = sum(deployment.offsets)
    return {
        "events": events,
        "letters": len(deployment.model.invalid),
        "calls": stats["calls"]["total"],
        "rows": stats["rows"]["received"],
        "lost": 0,
        "wrong": 0,
    }


def _report(driver: Driver, verdict: dict[str, float]) -> None:
    for name, count in sorted(driver.counts.items()):
        print(f"  {name.replace('_', ' '):40}{count:>10}")
    print(f"  {'kills with calls under way':40}{driver.kills_in_mid_call:>10}")
    for name, figure in verdict.items():
        print(f"  {name:40}{figure:>10,.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    main(options.seconds, options.seed)
    sys.exit(0)
