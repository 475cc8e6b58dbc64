"""What a fault makes of a call: instead of it, or of its answer. Pure: replies in, replies out."""

from collections.abc import Callable
from dataclasses import replace

from connector.sandbox.emulator.answers import (
    HTML,
    JSON,
    TEXT,
    Answer,
    Reply,
    envelope,
    plain,
)
from connector.sandbox.emulator.faults import Fault
from connector.sandbox.emulator.tiktok_facts import Code

_GATEWAY_TIMEOUT = "upstream request timeout"
_HTML = b"<html><head><title>Please wait</title></head><body>Service busy.</body></html>"


def before_the_call(
    fault: Fault, request_id: str, apply: Callable[[float], Answer]
) -> Reply | None:
    """Return the reply of a fault that stands in place of the call, or None.

    The call is not applied, except by a timeout: then late, at the end of the hold.
    """
    if fault.code is not None:
        message = fault.message or f"Emulated fault with code {fault.code}."
        return envelope(Answer(fault.code, message, {}), request_id)
    if fault.poison is not None:
        # Which row it is stays unsaid: a client has to find out by itself.
        message = "batch_data: contains an id that cannot be processed"
        return envelope(Answer(Code.BAD_PARAMETER, message, {}), request_id)
    if fault.status is not None:
        text = f"emulated HTTP {fault.status}" if fault.body is None else fault.body
        return plain(fault.status, text, request_id)
    if fault.reset == "before":
        return Reply(200, b"", TEXT, "reset", request_id, broken="reset")
    if fault.timeout is not None and fault.applied is not True:
        reply = replace(plain(504, _GATEWAY_TIMEOUT, request_id), hold=fault.timeout)
        return replace(reply, after_hold=apply) if fault.applied == "late" else reply
    return None


def after_the_call(fault: Fault, reply: Reply) -> Reply:
    """Return what a fault makes of the reply to a call that was judged, and applied if it was good."""
    if fault.reset:
        return replace(reply, outcome="reset", broken="reset")
    if fault.timeout is not None:
        return replace(plain(504, _GATEWAY_TIMEOUT, reply.request_id), hold=fault.timeout)
    if fault.delay is not None:
        return replace(reply, hold=fault.delay)
    if fault.trickle is not None:
        return replace(reply, trickle=fault.trickle)
    if fault.partial:
        if reply.outcome != "0":
            return reply
        return envelope(Answer(Code.PARTIAL, "Partially successful.", {}), reply.request_id)
    return _broken_body(fault.body, reply)


def _broken_body(body: str | None, reply: Reply) -> Reply:
    outcome = f"body_{body}"
    if body == "truncated":
        return replace(reply, outcome=outcome, broken="truncated")
    content, content_type = {
        "html": (_HTML, HTML),
        "empty": (b"", JSON),
        "not_json": (b"{code: 0, message: OK}", JSON),
    }[body or ""]
    return replace(reply, outcome=outcome, body=content, content_type=content_type)
