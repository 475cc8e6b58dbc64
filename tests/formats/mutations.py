"""Right events of any format made wrong: as trees and as bytes. And what every format promises of them."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import DECODE_REASONS, Decode, Membership
from tests.formats.strategies import to_bytes, trees

MARKER = "kX7mark"

Outcome = list[Membership] | tuple[str, str]


def marked(tree: Any) -> Any:
    """The tree with the marker in each of its texts and keys."""
    if isinstance(tree, str):
        return MARKER + tree
    if isinstance(tree, list):
        return [marked(one) for one in tree]
    if isinstance(tree, dict):
        return {MARKER + key: marked(value) for key, value in tree.items()}
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every value of the tree, as its container and its key there."""
    if isinstance(tree, dict):
        for key in tree:
            yield tree, key
            yield from _places(tree[key])
    elif isinstance(tree, list):
        for index in range(len(tree)):
            yield tree, index
            yield from _places(tree[index])


@st.composite
def mutated(draw: st.DrawFn, *originals: Any) -> Any:
    """One of these with up to three of its values gone, replaced, marked or wrapped, or its keys renamed."""
    tree = [copy.deepcopy(draw(st.sampled_from(originals)))]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(list(_places(tree))))
        container, key = place
        if container is tree:
            continue
        deed = draw(st.sampled_from(["delete", "replace", "mark", "wrap", "rename", "repeat"]))
        if deed == "delete":
            del container[key]
        elif deed == "rename" and isinstance(container, dict):
            names = st.sampled_from([MARKER, f"xdm:{key}", key.upper()])
            container[draw(names)] = container.pop(key)
        elif deed == "repeat" and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        elif deed == "wrap":
            container[key] = [container[key]]
        elif deed == "mark":
            container[key] = marked(container[key])
        else:
            container[key] = draw(trees.map(marked))
    return tree[0]


@st.composite
def broken(draw: st.DrawFn, *originals: Any) -> bytes:
    """The bytes of a mutated one, with a few of them taken out, doubled or replaced."""
    content = bytearray(to_bytes(draw(mutated(*originals)), ascii_only=draw(st.booleans())))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(content)))
        end = at + draw(st.integers(0, 4))
        content[at:end] = draw(
            st.binary(max_size=2) | st.sampled_from([b'"', b"\\u", b"{", b"\xc3\xbc"])
        )
    return bytes(content)


def outcome_of(decode: Decode, value: bytes, *secrets: str) -> Outcome:
    """What becomes of the record; fails unless it is what Decode promises, with none of these words in it."""
    try:
        memberships = decode(value)
    except InvalidRecord as invalid:
        reason, detail = invalid.reason, invalid.detail
    else:
        _check(memberships)
        return memberships
    assert reason in DECODE_REASONS
    assert not [word for word in (MARKER, *secrets) if word in detail]
    return reason, detail


def decode_only(decode: Decode, value: bytes) -> None:
    """Decode it, or have it refused for one of the reasons; nothing else that would take time."""
    reason = DECODE_REASONS[0]
    try:
        decode(value)
    except InvalidRecord as invalid:
        reason = invalid.reason
    assert reason in DECODE_REASONS


def _check(memberships: list[Membership]) -> None:
    for one in memberships:
        assert isinstance(one.segment, str)
        assert isinstance(one.action, Action)
        assert isinstance(one.identities, dict)
        assert all(isinstance(name, str) and name == name.lower() for name in one.identities)
        assert one.profile_id is None or isinstance(one.profile_id, str)
        assert one.at is None or isinstance(one.at, float)
        assert one.problem in {None, "malformed_timestamp", *DECODE_REASONS}
