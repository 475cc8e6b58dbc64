"""What every format says of consent: exactly what stands there, of whom, and never a reason to refuse a record."""

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats import debezium, mparticle, native, rudderstack
from connector.formats.cloudevents import memberships_of
from connector.formats.membership import Decode, Membership
from connector.formats.paths import with_consent
from tests.cpu import assert_within
from tests.formats import test_debezium, test_mparticle, test_rudderstack
from tests.formats.consenting import GIVEN, NOT_GIVEN, SAMPLES, Sample, told
from tests.formats.mutations import MARKER, broken
from tests.formats.strategies import few, trees
from tests.formats.test_native import NOT_TYPED, event

each = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)


def additions(sample: Sample, value: bytes) -> list[Membership]:
    some = memberships_of(sample.shape, value, sample.headers)
    return [one for one in some if one.action is Action.ADD]


def said(sample: Sample, consent: object) -> object:
    [one] = additions(sample, sample.value(consent))
    assert one.segment == sample.segment
    return one.consent


@each
def test_what_stands_there_is_passed_on(sample: Sample) -> None:
    for consent in (GIVEN, *NOT_GIVEN):
        assert said(sample, consent) == (None if consent is ... else consent)


@each
@few
@given(consent=trees)
def test_whatever_stands_there_is_passed_on(sample: Sample, consent: Any) -> None:
    assert said(sample, consent) == consent


@each
@few
@given(data=st.data())
def test_of_any_bytes_the_same_is_said_as_without_consent(sample: Sample, data: Any) -> None:
    value = data.draw(st.binary() | broken(sample.entry(GIVEN)))

    found = outcome(sample.shape.decode, value)

    assert found == outcome(sample.plain.decode, value)
    assert isinstance(found, list) or MARKER not in found[1]


def outcome(decode: Decode, value: bytes) -> list[Membership] | tuple[str, str]:
    """The memberships without their consent, or why there are none."""
    try:
        some = decode(value)
    except InvalidRecord as invalid:
        return invalid.reason, invalid.detail
    return [msgspec.structs.replace(one, consent=None) for one in some]


def test_every_profile_of_a_message_has_its_own() -> None:
    shape = with_consent(mparticle.FORMAT, "consent_state")
    profiles = [
        told(test_mparticle.PROFILE, mpid=str(number), consent_state=one)
        for number, one in enumerate((GIVEN, ..., {"advertising": False}))
    ]
    some = shape.decode(orjson.dumps(test_mparticle.request(user_profiles=profiles)))

    assert [one.consent for one in some] == [GIVEN, None, {"advertising": False}]


def test_of_a_row_that_changed_the_entry_has_that_of_the_new_row() -> None:
    shape = with_consent(debezium.make(test_debezium.COLUMNS), "{advertising: ads}")
    before, after = test_debezium.row(mail="old@b.de", ads=False), test_debezium.row(ads=True)
    exit_, entry = shape.decode(orjson.dumps(test_debezium.change("u", before, after)))

    assert (exit_.action, entry.action) == (Action.DELETE, Action.ADD)
    assert entry.consent == {"advertising": True}


def test_every_user_of_a_list_has_its_own() -> None:
    users = [{"EMAIL_SHA256": "a@b.de", "ads": one} for one in (True, False, None)]
    shape = with_consent(rudderstack.FORMAT, "{advertising: ads}")
    some = shape.decode(orjson.dumps(test_rudderstack.lists(add=users, remove=users[:1])))

    assert [one.consent for one in some] == [
        {"advertising": one} for one in (True, False, None, True)
    ]


@pytest.mark.parametrize(
    ("path", "people"),
    [
        ("consent", 15_000),
        ("{advertising: consents.marketing.any.val == 'y', sharing: a || b}", 15_000),
        ("{advertising: contains(list, 'a')}", 9_000),
    ],
)
def test_thousands_of_people_in_a_message_are_asked_about_in_time(path: str, people: int) -> None:
    decode = with_consent(rudderstack.FORMAT, path).decode
    value = orjson.dumps(test_rudderstack.lists(add=[{"list": "a"}] * people))

    assert len(decode(value)) == people
    assert_within(0.1, lambda: decode(value))


# The native field


def native_consent(value: bytes) -> object:
    [one] = native.WITH_CONSENT.decode(value)
    return one.consent


both_ways = pytest.mark.parametrize("beside", [{}, NOT_TYPED], ids=["typed", "general"])


@both_ways
@pytest.mark.parametrize(
    "consent",
    [b'{"advertising":1e999}', b"1e999", b'{"advertising":true,"since":' + b"9" * 400 + b"}"],
    ids=["a number in it", "a number", "digits"],
)
def test_a_consent_that_cannot_be_read_is_none_and_refuses_nothing(
    consent: bytes, beside: dict[str, Any]
) -> None:
    value = orjson.dumps(event(**beside))[:-1] + b',"consent":' + consent + b"}"

    assert native.decode(value)
    assert native_consent(value) is None


@both_ways
def test_of_a_consent_that_stands_twice_the_last_counts(beside: dict[str, Any]) -> None:
    value = orjson.dumps(event(**beside, consent=GIVEN))[:-1] + b',"consent":{"advertising":false}}'

    assert native_consent(value) == {"advertising": False}


@both_ways
def test_a_number_that_no_float_holds_beside_it_takes_nothing_from_it(
    beside: dict[str, Any],
) -> None:
    value = orjson.dumps(event(**beside, consent=GIVEN))[:-1] + b',"x":1e999}'

    assert native_consent(value) == GIVEN


def test_without_the_rule_it_is_a_field_that_is_ignored() -> None:
    for consent in (GIVEN, *NOT_GIVEN):
        [one] = native.decode(orjson.dumps(event(consent=consent)))
        assert one.consent is None
