"""Consent is exactly JSON's true for every purpose that is required."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.consent import Consent
from tests.formats.consenting import GIVEN, NOT_GIVEN, PURPOSES
from tests.formats.strategies import many, trees

CONSENT = Consent(PURPOSES)


def test_true_for_every_purpose_is_consent_whatever_stands_beside() -> None:
    assert CONSENT.is_given(GIVEN)
    assert Consent(["advertising"]).is_given({"advertising": True, "sharing": False})


@pytest.mark.parametrize("consent", NOT_GIVEN, ids=repr)
def test_nothing_else_is(consent: object) -> None:
    assert not CONSENT.is_given(consent)


@many
@given(
    consent=trees
    | st.dictionaries(st.sampled_from([*PURPOSES, "other"]), st.booleans() | trees, max_size=3)
)
def test_it_is_so_for_any_json(consent: Any) -> None:
    is_given = isinstance(consent, dict) and all(consent.get(one) is True for one in PURPOSES)

    assert CONSENT.is_given(consent) is is_given
