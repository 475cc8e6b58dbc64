"""TikTok's side of a call: judge it, apply it, answer it. No IO and no clock: a call and the time in, a reply out.

Owns the order of the checks: rate limit, declared faults, token, shape, permission, the advertiser's rate,
existence; then it applies all of the call or nothing. Everything is decided and applied in one plain
function, so a client that hangs up cannot leave a call half done.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final, NamedTuple

from connector.sandbox.emulator.accounts import Accounts, Directory
from connector.sandbox.emulator.answers import (
    Answer,
    Reply,
    RequestIds,
    envelope,
    ok,
    refusal,
)
from connector.sandbox.emulator.api_calls import (
    ApiCall,
    ListCall,
    MappingCall,
    SegmentAudienceCall,
    UserInfoCall,
)
from connector.sandbox.emulator.audience_views import details, listing, user_info
from connector.sandbox.emulator.fault_effects import after_the_call, before_the_call
from connector.sandbox.emulator.fault_plan import FaultPlan
from connector.sandbox.emulator.faults import Fault
from connector.sandbox.emulator.memberships import Memberships
from connector.sandbox.emulator.parameters import parse_call
from connector.sandbox.emulator.rates import Limits, Rates
from connector.sandbox.emulator.stats import Stats
from connector.sandbox.emulator.tiktok_facts import Code, Refused, Violation
from connector.sandbox.emulator.under_way import CallsUnderWay
from connector.sandbox.emulator.watched import Watched

_SUCCESS: Final = (str(Code.OK.value), str(Code.PARTIAL.value))


class Received(NamedTuple):
    """A call as it came: path and method were right.

    Attributes:
        ticket: what under_way gave when the head of the call arrived.
    """

    endpoint: str
    token: str | None
    query: Mapping[str, str]
    body: bytes
    ticket: int


class Service:
    """The emulated TikTok: accounts, audiences, limits and faults, and the record of the calls."""

    def __init__(self, accounts: Accounts, limits: Limits, seed: int, now: float) -> None:
        self.directory = Directory()
        self.directory.declare(accounts, now)
        self.memberships = Memberships()
        self.rates = Rates(limits)
        self.faults = FaultPlan(seed)
        self.stats = Stats()
        self.under_way = CallsUnderWay()
        self.watched = Watched()
        self._request_ids = RequestIds()

    def handle(self, received: Received, now: float) -> Reply:
        """Judge, apply and answer one call."""
        request_id = self._request_ids.next(now)
        too_many = self.rates.arrive(now)
        if too_many:
            reply = envelope(refusal(too_many), request_id)
        else:
            reply = self._admitted(received, request_id, now)
        self.stats.answered(received.endpoint, reply.outcome)
        return reply

    def reset(self, seed: int | None) -> None:
        """Forget members and statistics; accounts, limits and faults stay."""
        self.memberships.clear()
        self.stats.clear()
        self.watched.clear()
        self.rates.clear()
        if seed is not None:
            self.faults.reseed(seed)

    def _admitted(self, received: Received, request_id: str, now: float) -> Reply:
        call = parse_call(received.endpoint, received.query, received.body)
        self._note(call, received.ticket)
        fault = self._struck(self.faults.strike(received.endpoint, call, now))
        apply = partial(self._answer, received.token, call)
        reply = fault and before_the_call(fault, request_id, apply)
        if not reply:
            reply = envelope(apply(now), request_id)
            if fault:
                reply = after_the_call(fault, reply)
        if reply.outcome in _SUCCESS:
            self.watched.answered(call)
        return reply

    def _note(self, call: ApiCall | Violation, ticket: int) -> None:
        if not isinstance(call, MappingCall):
            self.under_way.read(ticket, {})
            return
        shared = self.under_way.read(ticket, call.changes)
        self.stats.received(call.rows, overlaps=shared, repeated=call.repeated)

    def _struck(self, faults: Iterable[Fault]) -> Fault | None:
        """Let the faults that change the world do so; return the one that changes the answer."""
        for fault in faults:
            if fault.revoke_token is not None:
                self.directory.set_revoked(fault.revoke_token, revoked=True)
            elif fault.delete_audience is not None:
                self.directory.set_deleted(fault.delete_audience, deleted=True)
            else:
                return fault
        return None

    def _answer(self, token: str | None, call: ApiCall | Violation, now: float) -> Answer:
        try:
            known = self.directory.authenticate(token)
            if isinstance(call, Violation):
                return refusal(call)
            self.directory.permit(known, call.advertiser_ids)
            for advertiser_id in dict.fromkeys(call.advertiser_ids):
                too_many = self.rates.arrive_for(advertiser_id, call.endpoint, now)
                if too_many:
                    return refusal(too_many)
            if not isinstance(call, ListCall):  # a list leaves out what there is not
                self.directory.require(call.advertiser_ids, call.audience_ids)
            return self._apply(call, now)
        except Refused as refused:
            return refusal(refused.violation)

    def _apply(self, call: ApiCall, now: float) -> Answer:
        if isinstance(call, MappingCall):
            self.memberships.apply(call)
            self.stats.applied(call.rows)
            self.watched.applied(call, now)
            return ok()
        if isinstance(call, SegmentAudienceCall):
            if call.action == "create":
                advertiser_id = call.advertiser_ids[0]
                return ok({"audience_id": self.directory.create(advertiser_id, call.name, now)})
            self.directory.set_deleted(call.audience_ids[0], deleted=True)
            return ok()
        if isinstance(call, UserInfoCall):
            return ok(user_info())
        records = self.directory.audiences_of(call.advertiser_ids[0])
        if isinstance(call, ListCall):
            return ok(listing(call, records, self.memberships))
        return ok(details(call, records, self.memberships))
