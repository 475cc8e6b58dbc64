"""The accounts and audiences that changes are delivered to, with the state of each.

Owns what is open, waiting or halted. Does no IO; the dispatcher and the probes change it.
"""

from dataclasses import dataclass, field

from connector.core.identity import Digests
from connector.core.lane import Lane
from connector.core.retry import Gate, State
from connector.core.routing import AudienceKey, Route, restrict
from connector.delivery.seams import Destination


@dataclass(eq=False, slots=True)
class Audience:
    """One audience: its lane of pending changes, and the gate its calls must pass.

    Attributes:
        sets_aside: whether its changes become letters when it is blocked and they reach their bound; else they
            hold the intake.
        slots: which identity slots it takes; None for all.
        is_retired: whether no route leads to it any more: it takes no new change, and what is pending is still sent.
    """

    key: AudienceKey
    segment: str
    account: "Account"
    lane: Lane
    sets_aside: bool = False
    slots: tuple[bool, ...] | None = None
    gate: Gate = field(default_factory=Gate)
    last_error: str | None = None
    is_retired: bool = False

    def follow(self, route: Route) -> None:
        """This route leads to it from now on."""
        self.segment = route.segment
        self.sets_aside = route.sets_aside
        self.slots = route.slots
        self.is_retired = False

    def restrict(self, row: Digests) -> Digests | None:
        """The row's digests that it takes, as a list of its own; None if there are none."""
        return restrict(row, self.slots)

    @property
    def is_halted(self) -> bool:
        return self.gate.state is State.HALTED

    @property
    def is_given_up(self) -> bool:
        """Whether TikTok refuses its calls, and the route that could be mended is gone."""
        return self.is_retired and self.is_halted

    def is_done(self, now: float) -> bool:
        """Whether nothing of it is pending, under way, or in doubt."""
        lane = self.lane
        return not len(lane) and not lane.calls and lane.fences.last_echo_ends() <= now

    @property
    def is_in_trouble(self) -> bool:
        """Whether it or its account is halted, or has failed and not succeeded since."""
        return self.gate.state is not State.OPEN or self.account.gate.state is not State.OPEN

    @property
    def troubled_gate(self) -> Gate:
        """The gate that tells its state: the account's while that is to blame, else its own."""
        own, accounts = self.gate, self.account.gate
        if accounts.state is State.HALTED or own.state is State.OPEN:
            return accounts
        if own.state is State.HALTED:
            return own
        return max(own, accounts, key=lambda gate: gate.opens_at)

    @property
    def trouble(self) -> str:
        """Why it is in trouble; empty when it is not."""
        return self.troubled_gate.reason or ""

    @property
    def next_try(self) -> float:
        """When a call of it may start again, or the next probe of its halted account; infinity while unknown."""
        return self.account.next_try if self.account.is_halted else self.troubled_gate.opens_at

    def is_blocked(self, now: float, patience: float) -> bool:
        """Whether it is halted, or has been waiting for so many seconds without an accepted call."""
        gate = self.troubled_gate
        if gate.state is State.WAITING:
            return now - gate.since >= patience
        return gate.state is State.HALTED

    def opens_at(self, most_calls: int) -> float | None:
        """When its next call may start as far as gates are concerned; None for not before something ends.

        A halted audience lets one call through at a time: its own next batch is the probe.
        """
        allowed = 1 if self.is_halted else most_calls
        if self.lane.calls >= allowed or self.account.is_halted:
            return None
        return max(self.gate.opens_at, self.account.gate.opens_at)


@dataclass(eq=False)
class Account:
    """One destination: whether TikTok accepts its calls, and its audiences.

    Attributes:
        gate: halted, or waiting because TikTok holds back this advertiser.
        probe: when the next probe may be made while there is trouble.
        unreachable: the reason of the last try when it got no answer from TikTok; None otherwise.
        denied: audiences whose call was denied permission, until a probe tells whose fault it is.
    """

    name: str
    destination: Destination
    audiences: list[Audience] = field(default_factory=list)
    gate: Gate = field(default_factory=Gate)
    probe: Gate = field(default_factory=Gate)
    unreachable: str | None = None
    denied: list[Audience] = field(default_factory=list)

    @property
    def is_halted(self) -> bool:
        return self.gate.state is State.HALTED

    @property
    def next_try(self) -> float:
        """When it is probed again, or its wait ends."""
        return self.gate.opens_at if self.gate.state is State.WAITING else self.probe.opens_at

    @property
    def trouble(self) -> str | None:
        """Why it accepts no calls at present; None when it does, or nothing speaks against it yet."""
        return self.gate.reason if self.is_halted else self.unreachable
