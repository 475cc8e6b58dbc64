"""Judges the parameters of every endpoint but segment/mapping: values in, a call or a Violation out.

Knows nothing of accounts: whether an advertiser or an audience exists is judged elsewhere.
"""

from collections.abc import Callable, Mapping

import orjson

from connector.sandbox.emulator.api_calls import (
    ApiCall,
    GetCall,
    ListCall,
    SegmentAudienceCall,
    UserInfoCall,
)
from connector.sandbox.emulator.mapping import json_object, parse_mapping, string_list
from connector.sandbox.emulator.tiktok_facts import (
    AUDIENCE_GET,
    AUDIENCE_LIST,
    MAPPING,
    MAX_LISTED,
    NAME_LENGTH,
    SEGMENT_AUDIENCE,
    USER_INFO,
    Refused,
    Violation,
    malformed,
)


def parse_call(endpoint: str, query: Mapping[str, str], body: bytes) -> ApiCall | Violation:
    """Return the call to a known endpoint, or why TikTok would refuse it by its shape alone."""
    if endpoint == MAPPING:
        return parse_mapping(body)
    try:
        if endpoint == SEGMENT_AUDIENCE:
            return _segment_audience(body)
        return _QUERY_PARSERS[endpoint](query)
    except Refused as refused:
        return refused.violation


def _segment_audience(body: bytes) -> SegmentAudienceCall:
    fields = json_object(body)
    advertiser = (_text(fields.get("advertiser_id"), "advertiser_id"),)
    action = fields.get("action", "create")
    if action == "create":
        name = _text(fields.get("custom_audience_name"), "custom_audience_name")
        if len(name) > NAME_LENGTH:
            name = name[: NAME_LENGTH - 3] + "..."
        return SegmentAudienceCall(advertiser, action, name=name)
    if action == "delete":
        audience_id = _text(fields.get("delete_audience_id"), "delete_audience_id")
        return SegmentAudienceCall(advertiser, action, audience_ids=(audience_id,))
    raise malformed("action", "must be create or delete")


def _list(query: Mapping[str, str]) -> ListCall:
    return ListCall(
        (_text(query.get("advertiser_id"), "advertiser_id"),),
        _ids(query["custom_audience_ids"]) if "custom_audience_ids" in query else (),
        page=_number(query, "page", default=1, most=None),
        page_size=_number(query, "page_size", default=10, most=MAX_LISTED),
    )


def _get(query: Mapping[str, str]) -> GetCall:
    _number(query, "history_size", default=MAX_LISTED, most=MAX_LISTED)
    return GetCall(
        (_text(query.get("advertiser_id"), "advertiser_id"),),
        _ids(query.get("custom_audience_ids", "")),
    )


_QUERY_PARSERS: dict[str, Callable[[Mapping[str, str]], ApiCall]] = {
    AUDIENCE_LIST: _list,
    AUDIENCE_GET: _get,
    USER_INFO: lambda _: UserInfoCall(),
}


def _ids(text: str) -> tuple[str, ...]:
    """Read a list parameter of a GET: JSON in the query, of ids that are strings."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    ids = string_list(value, "custom_audience_ids")
    if len(ids) > MAX_LISTED:
        raise malformed("custom_audience_ids", f"has {len(ids)} ids, at most {MAX_LISTED}")
    return tuple(ids)


def _number(query: Mapping[str, str], name: str, *, default: int, most: int | None) -> int:
    text = query.get(name, str(default))
    # Nine digits are more than any page has, and int() of a long text is slow.
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if number < 1 or (most is not None and number > most):
        raise malformed(
            name, f"must be a whole number from 1{'' if most is None else f' to {most}'}"
        )
    return number


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise malformed(where, "must be a non-empty string")
    return value
