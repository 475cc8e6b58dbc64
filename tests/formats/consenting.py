"""An entry in every format, with the person's consent where the format, or a path, has it."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from connector.formats import adobe_xdm, custom, debezium, mparticle, native, rudderstack, segment
from connector.formats.membership import Format
from connector.formats.paths import with_consent
from tests.formats import (
    test_adobe_xdm,
    test_cloudevents,
    test_custom,
    test_debezium,
    test_mparticle,
    test_native,
    test_rudderstack,
    test_segment,
)

Tree = dict[str, Any]
Headers = tuple[tuple[str, bytes], ...]

PURPOSES: Final = ("advertising", "sharing")
GIVEN: Final = {"advertising": True, "sharing": True, "analytics": False, "since": 1_795_176_000}
_NOT_TRUE: Final[tuple[object, ...]] = (False, None, 1, 1.0, "true", "y", [], [True], {})
NOT_GIVEN: Final[tuple[object, ...]] = (
    ...,
    *(None, True, False, 1, 1.0, "true", "advertising", "", [], [True], [GIVEN], {}),
    *({"advertising": True}, {"sharing": True}, {"Advertising": True, "sharing": True}),
    *({**GIVEN, "sharing": one} for one in _NOT_TRUE),
    {"marketing": GIVEN},
)
"""Everything that is no consent to both purposes; `...` for none at all."""


class Sample(NamedTuple):
    """A format that is read with consent.

    Attributes:
        plain: the format without it.
        segment: of the entry.
        entry: the record whose consent is this; `...` for none.
    """

    plain: Format
    shape: Format
    segment: str
    entry: Callable[[object], Tree]
    headers: Headers = ()

    def value(self, consent: object) -> bytes:
        return orjson.dumps(self.entry(consent))


def told(tree: Tree, **changes: Any) -> Tree:
    """The tree with these fields; `...` takes one away."""
    return {key: value for key, value in (tree | changes).items() if value is not ...}


def _segment(consent: object) -> Tree:
    preferences = told({}, categoryPreferences=consent)
    return test_segment.with_context(test_segment.TRACK, consent=preferences)


def _identify(consent: object) -> Tree:
    tree = test_segment.IDENTIFY | {"traits": {"email": test_segment.EMAIL, "vip": True}}
    return test_segment.with_context(tree, consent=told({}, categoryPreferences=consent))


def _adobe(consent: object) -> Tree:
    return test_adobe_xdm.message(consents=consent)


def _mparticle(consent: object) -> Tree:
    return test_mparticle.of_profile(consent_state=consent)


def _record(consent: object) -> Tree:
    return test_rudderstack.RECORD | {"fields": told({}, consent=consent)}


def _list(consent: object) -> Tree:
    user = told({"EMAIL_SHA256": test_rudderstack.EMAIL}, consent=consent)
    return test_rudderstack.lists(add=[user])


def _custom(consent: object) -> Tree:
    return test_custom.event(privacy=consent)


def _changed(consent: object) -> Tree:
    return test_debezium.change("u", test_debezium.row(), test_debezium.row(consent=consent))


def _inserted(consent: object) -> Tree:
    tree = test_debezium.change("c", None, test_debezium.row(consent=consent))
    return {"schema": test_debezium.SCHEMA, "payload": tree}


def _native(consent: object) -> Tree:
    return test_native.event(consent=consent)


def _native_general(consent: object) -> Tree:
    return _native(consent) | test_native.NOT_TYPED


def _at_a_path(consent: object) -> Tree:
    return test_native.event(privacy={"of": consent} if consent is not ... else {}, consent=GIVEN)


def _structured(consent: object) -> Tree:
    return test_cloudevents.event(data=_native(consent))


TABLE, CUSTOM = debezium.make(test_debezium.COLUMNS), custom.make(test_custom.MAPPING)
_PREFERENCES = "context.consent.categoryPreferences"


def _own(entry: Callable[[object], Tree], headers: Headers = ()) -> Sample:
    return Sample(native.FORMAT, native.WITH_CONSENT, "high-value", entry, headers)


def _at(plain: Format, path: str, segment_: str, entry: Callable[[object], Tree]) -> Sample:
    return Sample(plain, with_consent(plain, path), segment_, entry)


SAMPLES: Final = {
    "native": _own(_native),
    "native, general": _own(_native_general),
    "native, path": _at(native.FORMAT, "privacy.of", "high-value", _at_a_path),
    "segment": _at(segment.FORMAT, _PREFERENCES, "vip", _segment),
    "segment, identify": _at(segment.FORMAT, _PREFERENCES, "vip", _identify),
    "adobe_xdm": _at(adobe_xdm.FORMAT, "consents", test_adobe_xdm.CHURNED, _adobe),
    "mparticle": _at(mparticle.FORMAT, "consent_state", "456", _mparticle),
    "rudderstack": _at(rudderstack.FORMAT, "fields.consent", test_rudderstack.AUDIENCE, _record),
    "rudderstack, list": _at(rudderstack.FORMAT, "consent", test_rudderstack.AUDIENCE, _list),
    "debezium": _at(TABLE, "consent", "high-value", _changed),
    "debezium, wrapped": _at(TABLE, "consent", "high-value", _inserted),
    "custom": _at(CUSTOM, "privacy", "high-value", _custom),
    "custom, library": _at(CUSTOM, "privacy | @", "high-value", _custom),
    "cloudevents": _own(_structured, tuple(test_cloudevents.STRUCTURED)),
}
