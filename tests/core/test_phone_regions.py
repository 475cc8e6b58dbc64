"""One number, one digest, however it is written: for the example numbers of every region in the phone library."""

from hashlib import sha256

import phonenumbers
import pytest
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from connector.core.identity import IdentityMapping, Target, encoder
from connector.core.normal_forms import MALFORMED, Unusable

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)

E164 = PhoneNumberFormat.E164
SHORTEST = 7
"""Digits of a number with its country code."""

NO_BREAK_SPACE, NO_BREAK_HYPHEN = "\u00a0", "\u2011"


def examples(region: str) -> list[PhoneNumber]:
    """One number of each type that the region has, but those too short to be usable with a plus sign."""
    some = (phonenumbers.example_number_for_type(region, one) for one in PhoneNumberType.values())
    return [one for one in some if one is not None and len(written(one, E164)) > SHORTEST]


def written(number: PhoneNumber, form: int) -> str:
    return phonenumbers.format_number(number, form)


def spread(text: str, between: str) -> str:
    """The digits in groups of three."""
    return between.join(text[start : start + 3] for start in range(0, len(text), 3))


@pytest.mark.parametrize("region", REGIONS)
def test_a_number_with_its_plus_sign_has_the_digest_of_its_e164(region: str) -> None:
    encode = encoder(IdentityMapping("phone", Target.PHONE_SHA256))
    for number in examples(region):
        e164 = written(number, E164)
        digest = sha256(e164.encode()).digest()
        code, rest = f"{number.country_code}", e164[1 + len(f"{number.country_code}") :]
        for text in (
            e164,
            f" {e164}\n",
            written(number, PhoneNumberFormat.INTERNATIONAL),
            f"+{code} ({rest[:2]}) {spread(rest[2:], '-')}",
            f"+{code}.{spread(rest, '.')}",
            f"+{code}{NO_BREAK_SPACE}{spread(rest, NO_BREAK_HYPHEN)}",
            f"(+{code}) [{rest}]",
        ):
            assert encode(text) == digest, text


@pytest.mark.parametrize("region", REGIONS)
def test_a_national_number_of_the_default_region_has_the_digest_of_its_e164(region: str) -> None:
    encode = encoder(IdentityMapping("phone", Target.PHONE_SHA256, default_region=region))
    for number in examples(region):
        e164 = written(number, E164)
        national = written(number, PhoneNumberFormat.NATIONAL)
        digits = phonenumbers.normalize_digits_only(national)
        for text in (
            e164,
            national,
            digits,
            spread(digits, " "),
            spread(digits, "-"),
            f"({digits})",
        ):
            assert encode(text) == sha256(e164.encode()).digest(), text


@pytest.mark.parametrize(
    ("region", "number", "e164"),
    [
        pytest.param("IR", "9601", "+989601", id="six digits"),
        pytest.param("DE", "30000000000000", "+4930000000000000", id="sixteen digits"),
    ],
)
def test_a_number_of_an_unusual_length_is_usable_in_its_region_alone(
    region: str, number: str, e164: str
) -> None:
    with_region = encoder(IdentityMapping("phone", Target.PHONE_SHA256, default_region=region))

    assert with_region(number) == sha256(e164.encode()).digest()
    with pytest.raises(Unusable, match=MALFORMED):
        with_region(e164)


def test_the_library_has_examples_of_every_region() -> None:
    assert len(REGIONS) > 200
    assert all(map(examples, REGIONS))
