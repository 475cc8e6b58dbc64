"""Events as trees and as bytes: right ones, wrong ones, and ones with a byte too many."""

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

few = settings(deadline=None, max_examples=30)
many = settings(deadline=None, max_examples=150)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
trees = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(texts, below, max_size=3),
    max_leaves=8,
)
times = st.sampled_from(
    [
        "2026-11-20T12:00:00Z",
        "2026-11-20t12:00:00z",
        "2026-11-20 12:00:00+01:00",
        "2026-11-20T12:00:00.123456789-00:30",
        "2026-11-20T12:00:00",
        "2026-11-20T12:00Z",
        "20261120T120000Z",
        "2026-11-20T23:59:60Z",
        "2026-11-31T12:00:00Z",
        "yesterday",
        "",
    ]
)
identities = st.dictionaries(texts, texts | trees, max_size=4)
rights = st.fixed_dictionaries(
    {
        "profile_id": texts,
        "segment": texts,
        "status": st.sampled_from(["entered", "exited"]),
        "identities": st.dictionaries(texts, texts, max_size=4),
    },
    optional={"timestamp": times, "extra": trees},
)
keys = st.sampled_from(["profile_id", "segment", "status", "identities", "timestamp"])
events = st.builds(
    lambda event, wrong, gone: {
        key: value for key, value in (event | wrong).items() if key not in gone
    },
    rights,
    st.dictionaries(
        keys | texts,
        st.sampled_from(["entered", "Exited"]) | times | identities | trees,
        max_size=2,
    ),
    st.lists(keys, max_size=1),
)
escaped = st.booleans()


def to_bytes(event: Any, *, ascii_only: bool) -> bytes:
    return json.dumps(event, ensure_ascii=ascii_only).encode()


@st.composite
def broken_events(draw: st.DrawFn) -> bytes:
    """An event's bytes with a few of them taken out, doubled or replaced."""
    content = bytearray(to_bytes(draw(events), ascii_only=draw(escaped)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(content)))
        end = at + draw(st.integers(0, 4))
        content[at:end] = draw(
            st.binary(max_size=2) | st.sampled_from([b'"', b"\\u", b"{", b"\\ud800"])
        )
    return bytes(content)
