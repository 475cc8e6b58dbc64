"""One run: a broker, an emulator, connectors, load and misfortune for a while; then calm, and the verdict.

Owns the order of these and the settings of a run. What strikes is the driver's, what is fed the load's.
"""

import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from connector.sandbox.generator import segment_names
from tests.chaos.driver import MAPPING, Driver
from tests.chaos.faults import REQUEST_SECONDS
from tests.chaos.load import LOAD_IDENTITIES, MARK_TYPE, Load
from tests.chaos.repeats import Repeats, count_repeats
from tests.chaos.verdict import MOST_SENT_TWICE, Verdict, judge
from tests.end_to_end.deployment import Deployment, Emulator
from tests.kafka_broker import Broker

_AUDIENCES = 20
_CALLS_A_SECOND = 100
_STILL_SECONDS = 60.0
"""After the load and the mending: so long may pass without a commit that moves."""

_LATE_SECONDS = 1.0

_SECONDS_TO_JUDGE = 300.0
"""In a shorter run a single stop at a bad moment decides which part of the rows is sent twice."""


@dataclass(frozen=True)
class Plan:
    """What is to happen.

    Attributes:
        rate: events a second.
        kills: whether connectors are killed.
        long_freezes: whether connectors are frozen for longer than their session.
        faults_a_strike: how many of TikTok's faults are set with each misfortune.
        most_gap: at most so many seconds between two misfortunes.
        evenly: each misfortune as often as each other, and all of them, however long that takes.
    """

    seconds: float
    seed: int
    rate: int = 3_500
    kills: bool = True
    long_freezes: bool = False
    faults_a_strike: int = 2
    most_gap: float = 1.6
    session_seconds: float = 3.0
    evenly: bool = False


@dataclass(frozen=True)
class Result:
    """What happened, in numbers.

    Attributes:
        settled: seconds from the end of the load until all of it was committed.
    """

    plan: Plan
    events: int
    settled: float
    misfortunes: Counter[str]
    kills_in_mid_call: int
    fault_settings: Counter[str]
    fault_hits: Counter[str]
    poisoned_calls: int
    calls: int
    rows_sent: int
    rows_accepted: int
    repeats: Repeats
    verdict: Verdict

    def failures(self) -> list[str]:
        """What is not as it must be."""
        found = list(self.verdict.failures())
        is_long = self.plan.seconds >= _SECONDS_TO_JUDGE
        if is_long and self.repeats.outside_of_kills > MOST_SENT_TWICE:
            found.append(f"{self.repeats.outside_of_kills:.1%} of the rows sent twice")
        return found


def run(plan: Plan) -> Result:
    """Let it all happen. An AssertionError tells what kept it from coming to a verdict."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        broker = Broker().start()
        emulator = Emulator(folder, _AUDIENCES, _CALLS_A_SECOND)
        deployment = _deploy(folder, broker, emulator, plan)
        load = Load(deployment, plan.seed, plan.seconds, plan.rate)
        driver = Driver(
            random.Random(plan.seed),
            deployment,
            emulator,
            broker,
            kills=plan.kills,
            long_freezes=plan.long_freezes,
            evenly=plan.evenly,
            faults_a_strike=plan.faults_a_strike,
        )
        try:
            _strike(plan, load, driver, emulator)
            settled = _settle(load, driver, deployment)
            return _result(plan, settled, load, driver, deployment, emulator)
        finally:
            deployment.close()
            emulator.end()
            broker.stop()


def _deploy(folder: Path, broker: Broker, emulator: Emulator, plan: Plan) -> Deployment:
    return Deployment(
        folder,
        broker,
        emulator.base_url,
        segments=segment_names(_AUDIENCES),
        identities=LOAD_IDENTITIES,
        kafka__session_timeout_seconds=plan.session_seconds,
        tiktok__request_timeout_seconds=REQUEST_SECONDS,
        tiktok__rate_limit={"queries_per_second": _CALLS_A_SECOND},
        delivery={
            "linger_seconds": 0.2,
            "drain_seconds": 8,
            "retry_max_seconds": 2,
            "max_rows": 200,
            "max_pending_rows": 10_000,
            "max_uncommitted_records": 5_000,
        },
    )


def _strike(plan: Plan, load: Load, driver: Driver, emulator: Emulator) -> None:
    """Feed, and strike by turns until the time is over."""
    emulator.post("watch", {"type": MARK_TYPE})
    emulator.faults({"endpoint": MAPPING, "poison": load.poison})
    chance = random.Random(plan.seed + 1)
    begun = time.monotonic()
    driver.replicas.keep_running()
    load.start()
    while time.monotonic() - begun < plan.seconds or (plan.evenly and not driver.has_done_all):
        time.sleep(chance.uniform(0.2, plan.most_gap))
        driver.strike()
    load.stop()


def _settle(load: Load, driver: Driver, deployment: Deployment) -> float:
    """Mend everything and wait until all is committed; how long it took."""
    begun = time.monotonic()
    driver.calm()

    committed, moved_at = 0, time.monotonic()
    while not deployment.is_all_committed():
        driver.replicas.keep_running()
        now, before = sum(deployment.committed().values()), committed
        committed = max(now, before)
        moved_at = time.monotonic() if now > before else moved_at
        still = time.monotonic() - moved_at
        assert still < _STILL_SECONDS, (
            f"no commit for {still:.0f} s: {sum(deployment.offsets) - now} records are left;"
            f" {driver.replicas.states()}"
        )
        time.sleep(0.5)
    settled = time.monotonic() - begun
    driver.replicas.leave(0)
    time.sleep(_LATE_SECONDS)  # a call that was given up may still be applied
    return settled


def _result(
    plan: Plan,
    settled: float,
    load: Load,
    driver: Driver,
    deployment: Deployment,
    emulator: Emulator,
) -> Result:
    stats = emulator.stats()
    poison = [one for one in emulator.listing("faults")["faults"] if "poison" in one]
    return Result(
        plan=plan,
        events=sum(deployment.offsets),
        settled=settled,
        misfortunes=driver.counts,
        kills_in_mid_call=driver.kills_in_mid_call,
        fault_settings=driver.settings,
        fault_hits=driver.struck,
        poisoned_calls=sum(one["hits"] for one in poison),
        calls=stats["calls"]["total"],
        rows_sent=stats["rows"]["received"],
        rows_accepted=stats["rows"]["applied"],
        repeats=count_repeats(emulator.listing("watch")["applied"], driver.outages),
        verdict=judge(deployment, emulator, load, driver.replicas.logs_with_personal_data()),
    )
