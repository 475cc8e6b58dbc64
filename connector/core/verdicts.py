"""What is judged of each value of a profile, in words that hold nothing of it.

Owns the words. The judging is the encoders' of connector.core.identity, made for the same mappings: a test holds the
two to the same answers. Counts nothing.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from connector.core.identity import (
    MOST_VALUES,
    NOT_TEXT,
    OTHER_SOURCE,
    TOO_MANY_VALUES,
    UNMAPPED,
    IdentityMapping,
    Target,
    encoder,
)
from connector.core.normal_forms import Unusable

_HEX = re.compile(r"[0-9a-fA-F]+").fullmatch


class Form(StrEnum):
    """What a value is."""

    PLAIN = "plain"
    DIGEST = "digest"
    ABSENT = "absent"
    NOT_TEXT = "not_text"


class Verdict(NamedTuple):
    """What is judged of one value by one mapping, or of several that nobody looks at.

    Attributes:
        namespace: a configured one, in lower case; else OTHER_SOURCE.
        target: what the value is for; None where the namespace is not configured.
        form: None where nobody looks.
        length: of a text, in characters; None for what may be an e-mail address, of which nothing is told.
        reason: why it is dropped, one of DROP_REASONS; None when it is usable, or absent.
        times: how many values this is about; of namespaces that are not configured, how many of these.
    """

    namespace: str
    target: Target | None
    form: Form | None
    length: int | None
    reason: str | None
    times: int = 1

    @property
    def is_usable(self) -> bool:
        return self.reason is None and self.form is not Form.ABSENT


class Judge:
    """Judges values by the configured mappings: `verdicts`."""

    def __init__(self, mappings: Sequence[IdentityMapping]) -> None:
        self._ways = [(one.source.lower(), one.target, encoder(one)) for one in mappings]
        self._namespaces = frozenset(namespace for namespace, _, _ in self._ways)

    def verdicts(self, identities: Mapping[str, object]) -> list[Verdict]:
        """In the order of the configuration and of the values; what is not configured comes last."""
        values: dict[str, list[object]] = {}
        unmapped = 0
        for name, value in identities.items():
            some = value if isinstance(value, list) else [value]
            namespace = name.lower()
            if namespace in self._namespaces:
                values.setdefault(namespace, []).extend(some)
            elif _present(some):
                unmapped += 1
        found: list[Verdict] = []
        for namespace, target, encode in self._ways:
            every = values.get(namespace, [])
            for value in every[:MOST_VALUES]:
                form, length = _form(value, target)
                reason = NOT_TEXT if form is Form.NOT_TEXT else None
                if type(value) is str and value:
                    try:
                        encode(value)
                    except Unusable as unusable:
                        reason = str(unusable)
                found.append(Verdict(namespace, target, form, length, reason))
            if beyond := _present(every[MOST_VALUES:]):
                found.append(Verdict(namespace, target, None, None, TOO_MANY_VALUES, beyond))
        if unmapped:
            found.append(Verdict(OTHER_SOURCE, None, None, None, UNMAPPED, unmapped))
        return found


def _form(value: object, target: Target) -> tuple[Form, int | None]:
    if value is None or value == "":
        return Form.ABSENT, None
    if type(value) is not str:
        return Form.NOT_TEXT, None
    text = value.strip()
    if len(text) == target.digits and _HEX(text) is not None:
        return Form.DIGEST, len(value)
    return Form.PLAIN, None if "@" in value else len(value)


def _present(values: Sequence[object]) -> int:
    return len(values) - values.count(None) - values.count("")
