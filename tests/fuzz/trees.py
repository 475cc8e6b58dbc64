"""Changes to JSON as a tree: what a mutator of bytes nearly never finds, for it breaks the text first."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

_ODD = (
    *(None, True, False, 0, -1, 2**63, 2**64, -(2**63) - 1, 0.0, -0.0, 1e308, 5e-324, float("nan")),
    *("", " ", "\0", "\ud800", "\u00fc", "\U0001f600", "entered", "2026-11-20T12:00:00Z"),
)


def changed(value: bytes, random: Random, words: Sequence[str]) -> bytes | None:
    """The JSON with one to three changes somewhere in its tree; None when it is no JSON."""
    try:
        root = [json.loads(value)]
        for _ in range(random.randint(1, 3)):
            _change(root, random, words)
        text = json.dumps(root[0], ensure_ascii=random.random() < 0.5)
    except (ValueError, RecursionError):
        return None
    return text.encode("utf-8", "surrogatepass")


def _change(root: list[Any], random: Random, words: Sequence[str]) -> None:
    holder, key = random.choice(_places(root))
    value = holder[key]
    match random.randrange(5):
        case 0:
            holder[key] = random.choice(_ODD)
        case 1 if holder is not root:
            del holder[key]
        case 2:
            holder[key] = [value] * random.choice((1, 2, 1_001))
        case 3 if isinstance(value, dict):
            value[random.choice(words)] = random.choice(_ODD)
        case _:
            text = value if isinstance(value, str) else ""
            at = random.randint(0, len(text))
            holder[key] = text[:at] + random.choice(words) + text[at:]


def _places(root: list[Any]) -> list[tuple[Any, Any]]:
    """Every place of the tree as its holder and the key there."""
    found: list[tuple[Any, Any]] = []
    holders: list[Any] = [root]
    while holders:
        holder = holders.pop()
        items = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in items:
            found.append((holder, key))
            if isinstance(value, dict | list):
                holders.append(value)
    return found
