"""What can be made to go wrong: the shape of a declared fault, and the check that it makes sense.

Owns the vocabulary of faults. When one strikes is fault_plan's business, what it does the service's.
"""

from typing import Annotated, Any, Final, Literal

import msgspec

from connector.sandbox.emulator.declared import Malformed, read_as, read_json
from connector.sandbox.emulator.tiktok_facts import ENDPOINTS

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
_Digest = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64}|[0-9a-f]{32})$")]

# What a fault may do; each declaration holds exactly one ("body" is one only without "status").
KINDS: Final = (
    "code",
    "status",
    "reset",
    "timeout",
    "delay",
    "body",
    "trickle",
    "partial",
    "poison",
    "revoke_token",
    "delete_audience",
)
BROKEN_BODIES: Final = ("truncated", "html", "empty", "not_json")
# Companions of one kind that mean nothing beside another.
_COMPANIONS: Final = {"message": "code", "applied": "timeout"}


class Fault(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """One declared fault: which calls, when, how often, and what happens to them.

    Attributes:
        count: how many calls it strikes; None is without end. Unset, it is without end, but 1 for
            revoke_token and delete_audience, which would else undo every restore.
        start_seconds: counted from when it was declared; so is the end of duration_seconds.
        applied: of timeout: whether the call is applied; "late" is at the end of the hold.
    """

    endpoint: str = "*"
    advertiser_id: str | None = None
    audience_id: str | None = None
    action: Literal["add", "delete", "create"] | None = None
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    count: Annotated[int, msgspec.Meta(ge=1)] | msgspec.UnsetType | None = msgspec.UNSET
    start_seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    duration_seconds: Seconds | None = None

    code: int | None = None
    message: str | None = None
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    reset: Literal["before", "after"] | None = None
    timeout: Seconds | None = None
    applied: bool | Literal["late"] | None = None
    delay: Seconds | None = None
    body: str | None = None
    trickle: Seconds | None = None
    partial: bool | None = None
    poison: Annotated[list[_Digest], msgspec.Meta(min_length=1)] | None = None
    revoke_token: str | None = None
    delete_audience: str | None = None

    @property
    def kinds(self) -> list[str]:
        """Return what it does: exactly one kind, once it was checked."""
        return [
            kind
            for kind in KINDS
            if getattr(self, kind) is not None and not (kind == "body" and self.status is not None)
        ]

    @property
    def kind(self) -> str:
        return self.kinds[0]

    @property
    def strikes(self) -> int | None:
        """Return how many calls it strikes, None for no end."""
        if not isinstance(self.count, msgspec.UnsetType):
            return self.count
        return 1 if self.kind in ("revoke_token", "delete_audience") else None


def read_faults(value: Any) -> list[Fault]:
    """Return the faults declared in a JSON value: one object, or a list of them.

    Raises:
        Malformed: one of them makes no sense; says which and why.
    """
    if not isinstance(value, list):
        return [_read(value, "fault")]
    return [_read(item, f"faults[{number}]") for number, item in enumerate(value)]


def parse_faults(text: bytes) -> list[Fault]:
    """Return the faults declared in a JSON text.

    Raises:
        Malformed: as read_faults.
    """
    return read_faults(read_json(text, "faults"))


def _read(value: Any, where: str) -> Fault:
    fault = read_as(Fault, value, where)
    if fault.endpoint != "*" and fault.endpoint not in ENDPOINTS:
        raise Malformed(f"{where}.endpoint: must be * or one of {', '.join(ENDPOINTS)}")
    if len(fault.kinds) != 1:
        found = ", ".join(fault.kinds) or "none"
        raise Malformed(f"{where}: needs exactly one of {', '.join(KINDS)}; found {found}")
    for companion, kind in _COMPANIONS.items():
        if getattr(fault, companion) is not None and fault.kind != kind:
            raise Malformed(f"{where}.{companion}: goes only with {kind}")
    if fault.kind == "body" and fault.body not in BROKEN_BODIES:
        raise Malformed(
            f"{where}.body: must be one of {', '.join(BROKEN_BODIES)}, or be the text of a status"
        )
    if fault.code == 0:
        raise Malformed(f"{where}.code: 0 is success, not a fault")
    if fault.partial is False:
        raise Malformed(f"{where}.partial: must be true")
    return fault
