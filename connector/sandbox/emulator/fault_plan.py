"""Which of the declared faults strikes this call. Time is an argument, chance a seeded generator.

Owns the faults in force and their counts. With the same seed, declarations and order of calls the
same calls are struck.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

import msgspec

from connector.sandbox.emulator.api_calls import ApiCall, MappingCall
from connector.sandbox.emulator.faults import Fault
from connector.sandbox.emulator.tiktok_facts import Violation

# These change the world, then the call goes on in it: a second fault may strike the same call.
_WORLDLY = ("revoke_token", "delete_audience")


@dataclass(slots=True)
class _Declared:
    number: int
    fault: Fault
    since: float
    poison: frozenset[bytes] = field(default=frozenset())
    hits: int = 0

    def remaining(self) -> int | None:
        strikes = self.fault.strikes
        return None if strikes is None else strikes - self.hits

    def in_force(self, now: float) -> bool:
        start = self.since + self.fault.start_seconds
        duration = self.fault.duration_seconds
        return (
            self.remaining() != 0 and now >= start and (duration is None or now < start + duration)
        )

    def matches(self, endpoint: str, call: ApiCall | Violation) -> bool:
        fault = self.fault
        if fault.endpoint not in ("*", endpoint):
            return False
        if isinstance(call, Violation):  # nothing is known of it, so only a fault without filters
            return not (fault.advertiser_id or fault.audience_id or fault.action or fault.poison)
        return (
            (not fault.advertiser_id or fault.advertiser_id in call.advertiser_ids)
            and (not fault.audience_id or fault.audience_id in call.audience_ids)
            and (not fault.action or fault.action == call.action)
            and (not self.poison or _holds(call, self.poison))
        )


class FaultPlan:
    """The faults in force, oldest first."""

    def __init__(self, seed: int) -> None:
        self._declared: list[_Declared] = []
        self._numbered = 0
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Begin the sequence of chances anew."""
        self._random = Random(seed)

    def add(self, faults: Iterable[Fault], now: float) -> None:
        """Declare further faults; none is replaced."""
        for fault in faults:
            self._numbered += 1
            poison = frozenset(map(bytes.fromhex, fault.poison or ()))
            self._declared.append(_Declared(self._numbered, fault, now, poison))

    def clear(self, number: int | None = None) -> int:
        """Take back one fault, or all; return how many that were."""
        kept = [item for item in self._declared if number is not None and item.number != number]
        gone = len(self._declared) - len(kept)
        self._declared = kept
        return gone

    def strike(self, endpoint: str, call: ApiCall | Violation, now: float) -> list[Fault]:
        """Return what strikes a call, and count it: the first fault that matches and has its chance.

        Faults that change the world rather than the answer come before it, as many as match.
        """
        struck: list[Fault] = []
        for item in self._declared:
            if not (item.in_force(now) and item.matches(endpoint, call)):
                continue
            chance = item.fault.probability
            if chance < 1 and self._random.random() >= chance:
                continue
            item.hits += 1
            struck.append(item.fault)
            if item.fault.kind not in _WORLDLY:
                break
        return struck

    def listing(self, now: float) -> list[dict[str, object]]:
        """Return the faults as declared, each with id, hits, remaining and whether it is in force."""
        return [
            {
                "id": item.number,
                **msgspec.to_builtins(item.fault),
                "hits": item.hits,
                "remaining": item.remaining(),
                "in_force": item.in_force(now),
            }
            for item in self._declared
        ]


def _holds(call: ApiCall, poison: frozenset[bytes]) -> bool:
    return isinstance(call, MappingCall) and any(
        not digests.isdisjoint(poison)
        for by_type in call.changes.values()
        for digests in by_type.values()
    )
