"""From source identities to digests: what is usable, by tables; and how rows are made of them."""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import pytest

from connector.core.identity import (
    DROP_REASONS,
    KNOWN_BAD_DIGEST,
    MOST_VALUES,
    NOT_A_DIGEST,
    NOT_TEXT,
    OTHER_SOURCE,
    TOO_MANY_VALUES,
    UNMAPPED,
    Digests,
    IdentityMap,
    IdentityMapping,
    Target,
    Transformation,
    encoder,
    rule,
)
from connector.core.normal_forms import MALFORMED, NO_COUNTRY_CODE, Unusable
from connector.core.suspicion import (
    ALREADY_HASHED,
    BASE64_DIGEST,
    NO_DASHES,
    OTHER_DIGEST,
    ZERO_DEVICE_ID,
)
from connector.errors import InvalidRecord
from tests.cpu import assert_within

EMAIL = IdentityMapping("email", Target.EMAIL_SHA256)
PHONE = IdentityMapping("phone", Target.PHONE_SHA256)
US_PHONE = IdentityMapping("phone", Target.PHONE_SHA256, default_region="US")
IDFA = IdentityMapping("idfa", Target.IDFA_SHA256)
GAID_MD5 = IdentityMapping("gaid", Target.AAID_MD5)

UUID = "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"
ZERO_UUID = "00000000-0000-0000-0000-000000000000"


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def sha256(text: str) -> str:
    """The digest as records have it."""
    return digest(text).hex()


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def base64(length: int, others: bytes = b"+/") -> str:
    return b64encode(sha256("a@b.c").encode()[:length], others).decode()


MD5 = md5("a@b.c")
BARE_UUID = UUID.replace("-", "")


def usable(mapping: IdentityMapping, value: str) -> str | None:
    """The value's normal form; None when it is not usable."""
    try:
        return rule(mapping).normalise(value.strip())
    except Unusable as unusable:
        reason = str(unusable)
    assert reason in {MALFORMED, NO_COUNTRY_CODE, ZERO_DEVICE_ID}
    return None


def test_half_a_surrogate_pair_is_malformed() -> None:
    with pytest.raises(Unusable, match=MALFORMED):
        encoder(EMAIL)("\ud800@b.c")


# Normal forms, as TikTok's own examples have them.


@pytest.mark.parametrize(
    ("mapping", "value", "published"),
    [
        pytest.param(
            EMAIL,
            "janedoe@gmail.com",
            "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69",
            id="e-mail of the help centre",
        ),
        pytest.param(
            EMAIL,
            " ALICE_abc@gmail.com ",
            "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f",
            id="e-mail to be trimmed and lower-cased",
        ),
        pytest.param(
            PHONE,
            "+12133734253",
            "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd",
            id="phone number with its plus sign",
        ),
        pytest.param(
            IDFA,
            UUID.upper(),
            "83dc3f5f32b9472613b0f038d36f22585a609d018af6f6067f50da318bf354bd",
            id="device id in lower case",
        ),
    ],
)
def test_the_published_examples_have_their_published_digests(
    mapping: IdentityMapping, value: str, published: str
) -> None:
    assert encoder(mapping)(value).hex() == published


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("jane@example.com", "jane@example.com"),
        ("Jane.Doe+Tag@Example.COM", "jane.doe+tag@example.com"),
        ("\u00a0jane@example.com\n", "jane@example.com"),
        ("a@b.c", "a@b.c"),
        ("a@b.c.", "a@b.c."),
        ("a@.b.c", "a@.b.c"),
        ("jürgen@müller.de", "jürgen@müller.de"),
        ("JÜRGEN@MÜLLER.DE", "jürgen@müller.de"),
        ("u\u0308@b.c", "u\u0308@b.c"),
        ("STRASSE@Straße.de", "strasse@straße.de"),
        ("ΝΊΚΟΣ@Παράδειγμα.ΕΛ", "νίκος@παράδειγμα.ελ"),
        ("Иван@Пример.РФ", "иван@пример.рф"),
        ("İpek@örnek.tr", "i\u0307pek@örnek.tr"),
        ("用户@例子.广告", "用户@例子.广告"),
        ("Jane@XN--Mller-KVA.de", "jane@xn--mller-kva.de"),
        ("用户@例子。广告", None),
        ('"odd"@example.com', '"odd"@example.com'),
        ("a@b", None),
        ("a@b.", None),
        ("a@.b", None),
        ("a@.", None),
        ("a@", None),
        ("@b.c", None),
        ("a@@b.c", None),
        ("a@b@c.d", None),
        ("a b@c.de", None),
        ("a@b .de", None),
        ("a@b.d\te", None),
        ("a\u2003b@c.de", None),
        ("a@b\u3000.de", None),
        ("jane.example.com", None),
        ("", None),
        ("   ", None),
    ],
)
def test_an_email_has_one_at_sign_a_local_part_a_dot_inside_its_domain_and_no_space(
    value: str, normal: str | None
) -> None:
    assert usable(EMAIL, value) == normal


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        (UUID, UUID),
        (UUID.upper(), UUID),
        (f"  {UUID}\n", UUID),
        ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
        (ZERO_UUID, None),
        (UUID.replace("-", ""), None),
        (f"{{{UUID}}}", None),
        (UUID[:-1], None),
        (UUID + "0", None),
        (UUID.replace("5f", "5g"), None),
        (UUID.replace("-", "\u2010"), None),
        ("5f3a2b1-89c4d-4e7f-b8e2-17d3a1e69b25", None),
        (UUID.replace("5", "\u0665", 1), None),
        ("", None),
    ],
)
@pytest.mark.parametrize("mapping", [IDFA, GAID_MD5], ids=["IDFA_SHA256", "AAID_MD5"])
def test_a_device_id_is_a_uuid_that_is_not_all_zero(
    mapping: IdentityMapping, value: str, normal: str | None
) -> None:
    assert usable(mapping, value) == normal


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("+12133734253", "+12133734253"),
        ("+1 (213) 373-4253", "+12133734253"),
        ("+1.213.373.4253", "+12133734253"),
        ("+49 [30] {123} 456", "+4930123456"),
        ("(+44) 20 7946 0958", "+442079460958"),
        ("+1\u00a0213\u2009373\u20114253", "+12133734253"),
        ("+1\u2003213\u3000373\u20134253", "+12133734253"),
        ("+1234567", "+1234567"),
        ("+123456789012345", "+123456789012345"),
        ("+1234567890123456", None),
        ("+123456", None),
        ("+02133734253", None),
        ("++12133734253", None),
        ("+1213373425x", None),
        ("+1/213/3734253", None),
        ("+\u0661\u0662\u0661\u0663\u0663\u0667\u0663\u0664\u0662\u0665\u0663", None),
        ("12133734253", None),
        ("(213) 373-4253", None),
        ("0012133734253", None),
        ("+", None),
        ("", None),
    ],
)
def test_a_phone_number_with_its_plus_sign_has_seven_to_fifteen_digits(
    value: str, normal: str | None
) -> None:
    assert usable(PHONE, value) == normal


@pytest.mark.parametrize(
    ("region", "value", "normal"),
    [
        ("US", "(213) 373-4253", "+12133734253"),
        ("US", "213.373.4253", "+12133734253"),
        ("US", "12133734253", "+12133734253"),
        ("US", "+44 20 7946 0958", "+442079460958"),
        ("GB", "020 7946 0958", "+442079460958"),
        ("DE", "030 123456", "+4930123456"),
        ("IT", "02 1234 5678", "+390212345678"),
        ("US", "123", None),
        ("US", "(000) 000-0000", None),
        ("US", "020 7946 0958", None),
        ("US", "416 555 0123", None),
        ("US", "call 213 373 4253", None),
        ("US", "213 373 4253 ext. 7", None),
        ("US", "1-800-FLOWERS", None),
        ("US", "x+12133734253", None),
        ("US", "tel:2133734253;phone-context=+1", None),
        ("US", "9" * 300, None),
        ("US", "213" + " " * 240 + "3734253", "+12133734253"),
        ("US", "213" + " " * 241 + "3734253", None),
        ("US", "+1" + " " * 238 + "2133734253", "+12133734253"),
        ("US", "", None),
        ("US", "-", None),
    ],
)
def test_a_phone_number_without_a_plus_sign_must_be_valid_in_the_default_region(
    region: str, value: str, normal: str | None
) -> None:
    assert usable(PHONE._replace(default_region=region), value) == normal


@pytest.mark.parametrize(
    ("strip_plus", "strip_dots", "value", "normal"),
    [
        (True, False, "Jane.Doe+tag+more@Example.com", "jane.doe@example.com"),
        (False, True, "Jane.Doe+a.b@Example.co.uk", "janedoe+ab@example.co.uk"),
        (True, True, "J.D.+x@a.b", "jd@a.b"),
        (True, False, "jane@a+b.c", "jane@a+b.c"),
        (True, False, "+tag@a.b", None),
        (False, True, "...@a.b", None),
        (True, True, ".+x@a.b", None),
        (True, True, "a@b", None),
    ],
)
def test_stripping_touches_the_local_part_alone(
    *, strip_plus: bool, strip_dots: bool, value: str, normal: str | None
) -> None:
    mapping = EMAIL._replace(strip_plus=strip_plus, strip_dots=strip_dots)

    assert usable(mapping, value) == normal


# Digests.


@pytest.mark.parametrize(
    ("mapping", "hashed"),
    [
        (EMAIL, sha256("a@b.c")),
        (PHONE, sha256("+1234567")),
        (IDFA, sha256(UUID)),
        (GAID_MD5, md5(UUID)),
    ],
    ids=lambda value: value.target if isinstance(value, IdentityMapping) else "",
)
@pytest.mark.parametrize("transformation", ["auto", "never"])
def test_a_digest_of_the_targets_length_in_any_case_becomes_its_bytes(
    mapping: IdentityMapping, hashed: str, transformation: str
) -> None:
    encode = encoder(mapping._replace(transformation=Transformation(transformation)))

    for written in (hashed, hashed.upper(), hashed.title(), f" {hashed}\n", f" {hashed.upper()}\n"):
        assert encode(written).hex() == hashed


@pytest.mark.parametrize(
    ("mapping", "transformation", "value", "reason"),
    [
        pytest.param(
            EMAIL, "always", sha256("a@b.c"), ALREADY_HASHED, id="a digest where all are plain"
        ),
        pytest.param(EMAIL, "never", "a@b.c", NOT_A_DIGEST, id="a plain one where all are digests"),
        pytest.param(EMAIL, "never", "", NOT_A_DIGEST, id="nothing where all are digests"),
        pytest.param(EMAIL, "auto", md5("a@b.c"), OTHER_DIGEST, id="MD5 for a SHA-256 target"),
        pytest.param(EMAIL, "never", md5("a@b.c"), OTHER_DIGEST, id="MD5, and only digests"),
        pytest.param(GAID_MD5, "auto", sha256(UUID), OTHER_DIGEST, id="SHA-256 for an MD5 target"),
        pytest.param(EMAIL, "auto", MD5.upper(), OTHER_DIGEST, id="MD5 in upper case"),
        pytest.param(EMAIL, "always", MD5, OTHER_DIGEST, id="MD5 where all are plain"),
        pytest.param(PHONE, "auto", "ab" * 20, OTHER_DIGEST, id="SHA-1"),
        pytest.param(PHONE, "auto", "ab" * 28, OTHER_DIGEST, id="SHA-224"),
        pytest.param(IDFA, "auto", "ab" * 48, OTHER_DIGEST, id="SHA-384"),
        pytest.param(IDFA, "never", "ab" * 64, OTHER_DIGEST, id="SHA-512"),
        pytest.param(IDFA, "auto", MD5, OTHER_DIGEST, id="MD5 of a device id"),
        pytest.param(EMAIL, "auto", base64(32), BASE64_DIGEST, id="SHA-256 in Base64"),
        pytest.param(EMAIL, "always", base64(32), BASE64_DIGEST, id="Base64 where all are plain"),
        pytest.param(GAID_MD5, "never", base64(16), BASE64_DIGEST, id="MD5 in Base64"),
        pytest.param(PHONE, "auto", base64(32, b"-_"), BASE64_DIGEST, id="in the URL's alphabet"),
        pytest.param(EMAIL, "auto", base64(31), MALFORMED, id="Base64 of another length"),
        pytest.param(EMAIL, "auto", base64(32)[:-2] + "9=", MALFORMED, id="Base64 with odd bits"),
        pytest.param(EMAIL, "auto", "!" * 43 + "=", MALFORMED, id="not Base64"),
        pytest.param(IDFA, "auto", BARE_UUID, NO_DASHES, id="a device id without dashes"),
        pytest.param(IDFA, "auto", BARE_UUID.upper(), NO_DASHES, id="in upper case, too"),
        pytest.param(GAID_MD5, "always", BARE_UUID, NO_DASHES, id="for MD5, all plain"),
        pytest.param(GAID_MD5, "always", MD5, ALREADY_HASHED, id="MD5 where all are plain ids"),
        pytest.param(IDFA, "never", BARE_UUID, OTHER_DIGEST, id="no dashes, and only digests"),
        pytest.param(EMAIL, "auto", BARE_UUID, OTHER_DIGEST, id="a device id under an e-mail"),
        pytest.param(IDFA, "auto", ZERO_UUID, ZERO_DEVICE_ID, id="the device id of nobody"),
        pytest.param(IDFA, "always", "0" * 32, ZERO_DEVICE_ID, id="the same without dashes"),
        pytest.param(IDFA, "never", ZERO_UUID, NOT_A_DIGEST, id="the same, and only digests"),
        pytest.param(PHONE, "auto", "(213) 373-4253", NO_COUNTRY_CODE, id="a national number"),
        pytest.param(PHONE, "always", "0012133734253", NO_COUNTRY_CODE, id="zeros for the plus"),
        pytest.param(PHONE, "auto", "123456", MALFORMED, id="too short to lack a country code"),
        pytest.param(PHONE, "auto", "1" * 33, MALFORMED, id="too long to lack a country code"),
        pytest.param(PHONE, "auto", "12133734253 x", MALFORMED, id="no number at all"),
        pytest.param(US_PHONE, "auto", "2222222", MALFORMED, id="not valid in the region"),
        pytest.param(PHONE, "never", "2133734253", NOT_A_DIGEST, id="plain, and only digests"),
        pytest.param(EMAIL, "auto", sha256("a@b.c")[:-1], MALFORMED, id="one digit short"),
        pytest.param(EMAIL, "auto", sha256("a@b.c") + "0", MALFORMED, id="one digit more"),
        pytest.param(EMAIL, "auto", "g" * 64, MALFORMED, id="not hexadecimal"),
        pytest.param(EMAIL, "auto", "\u0661" * 64, MALFORMED, id="digits of another script"),
        pytest.param(EMAIL, "auto", "x " + sha256("a@b.c"), MALFORMED, id="a digest within text"),
    ],
)
def test_what_is_neither_a_digest_nor_a_usable_value_is_refused(
    mapping: IdentityMapping, transformation: str, value: str, reason: str
) -> None:
    encode = encoder(mapping._replace(transformation=Transformation(transformation)))

    with pytest.raises(Unusable, match=f"^{reason}$"):
        encode(f" {value}\n")


@pytest.mark.parametrize("text", ["", "null", "undefined", "none", ZERO_UUID])
@pytest.mark.parametrize("transformation", ["auto", "never"])
def test_the_digests_of_nothing_are_refused(text: str, transformation: str) -> None:
    for mapping, hashed in ((EMAIL, sha256(text)), (GAID_MD5, md5(text))):
        encode = encoder(mapping._replace(transformation=Transformation(transformation)))

        with pytest.raises(Unusable, match=f"^{KNOWN_BAD_DIGEST}$"):
            encode(hashed)
        with pytest.raises(Unusable, match=f"^{KNOWN_BAD_DIGEST}$"):
            encode(hashed.upper())


def test_md5_targets_are_hashed_with_md5() -> None:
    assert encoder(GAID_MD5)(UUID.upper()).hex() == md5(UUID)


@pytest.mark.parametrize("mapping", [EMAIL, US_PHONE, IDFA], ids=["e-mail", "phone", "device id"])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a@" + "." * 1_000_000 + " b", id="dots"),
        pytest.param("a@" + "b." * 500_000 + "@", id="labels"),
        pytest.param("@" * 1_000_000, id="at signs"),
        pytest.param("a" * 1_000_000 + "@b", id="a long local part"),
        pytest.param("+" + "1 " * 500_000, id="digits and spaces"),
        pytest.param("1" * 1_000_000, id="digits"),
        pytest.param("-" * 1_000_000, id="dashes"),
        pytest.param(" a" * 500_000, id="spaces"),
    ],
)
def test_no_value_of_a_megabyte_holds_the_event_loop(mapping: IdentityMapping, value: str) -> None:
    identities = IdentityMap([mapping])

    assert identities.rows({mapping.source: value}) == []
    assert_within(0.1, lambda: identities.rows({mapping.source: value}))


# Rows.


def rows_of(mappings: Sequence[IdentityMapping], identities: dict[str, Any]) -> list[Digests]:
    return IdentityMap(mappings).rows(identities)


def e(name: str) -> bytes:
    return digest(f"{name}@b.c")


def p(number: int) -> bytes:
    return digest(f"+1213373{number}")


ONE, TWO, THREE = "1@b.c", "2@b.c", "3@b.c"
PHONE_ONE, PHONE_TWO = "+12133731111", "+12133732222"


@pytest.mark.parametrize(
    ("identities", "rows"),
    [
        pytest.param({"email": ONE, "phone": PHONE_ONE}, [[e("1"), p(1111)]], id="one of each"),
        pytest.param({"email": ONE}, [[e("1"), None]], id="one alone"),
        pytest.param({"phone": PHONE_ONE}, [[None, p(1111)]], id="phone-only users are users"),
        pytest.param(
            {"email": [ONE], "phone": [PHONE_ONE]}, [[e("1"), p(1111)]], id="lists of one"
        ),
        pytest.param(
            {"email": [ONE, TWO], "phone": [PHONE_ONE, PHONE_TWO]},
            [[e("1"), p(1111)], [e("2"), p(2222)]],
            id="first with first",
        ),
        pytest.param(
            {"email": [ONE, TWO, THREE], "phone": PHONE_ONE},
            [[e("1"), p(1111)], [e("2"), None], [e("3"), None]],
            id="the shorter one ends",
        ),
        pytest.param(
            {"email": [ONE, "bad", TWO], "phone": [PHONE_ONE, PHONE_TWO]},
            [[e("1"), p(1111)], [None, p(2222)], [e("2"), None]],
            id="an unusable one keeps its place",
        ),
        pytest.param(
            {"email": [None, ONE], "phone": ["", PHONE_TWO]},
            [[e("1"), p(2222)]],
            id="a row without anything is none",
        ),
        pytest.param(
            {"email": [None, ONE], "phone": [PHONE_ONE]},
            [[None, p(1111)], [e("1"), None]],
            id="an absent one keeps its place",
        ),
        pytest.param({"EMAIL": ONE, "Phone": PHONE_ONE}, [[e("1"), p(1111)]], id="any case"),
        pytest.param(
            {"email": ONE, "Email": TWO}, [[e("1"), None], [e("2"), None]], id="both spellings"
        ),
        pytest.param({"email": ONE, "phone": None}, [[e("1"), None]], id="null is absent"),
        pytest.param({"email": ONE, "phone": ""}, [[e("1"), None]], id="nothing is absent"),
        pytest.param({"email": ONE, "phone": []}, [[e("1"), None]], id="no value is absent"),
        pytest.param({"email": ONE, "crm": "7"}, [[e("1"), None]], id="an unmapped one beside"),
        pytest.param({}, [], id="nothing"),
        pytest.param({"crm": "7"}, [], id="unmapped alone"),
        pytest.param({"email": "bad"}, [], id="unusable alone"),
    ],
)
def test_the_values_of_several_namespaces_are_zipped(
    identities: dict[str, Any], rows: list[Digests]
) -> None:
    assert rows_of([EMAIL, PHONE], identities) == rows


def test_several_sources_of_one_target_are_united_in_configured_order() -> None:
    second, first = EMAIL._replace(source="work"), EMAIL._replace(source="Home")
    identities = {"work": [ONE, "bad"], "home": TWO, "phone": PHONE_ONE}
    rows = rows_of([first, PHONE, second], identities)

    assert rows == [[e("2"), p(1111)], [e("1"), None]]


@pytest.mark.parametrize(
    "identities",
    [
        {"maid": UUID, "email": [ONE, TWO]},
        {"maid": UUID, "EMAIL": [ONE, TWO]},
        {"maid": [UUID], "email": [ONE, TWO]},
    ],
    ids=["list beside it", "another case", "lists"],
)
def test_one_source_for_two_targets_loses_nothing_beside_it(identities: dict[str, Any]) -> None:
    maid = [IDFA._replace(source="maid"), IdentityMapping("maid", Target.AAID_SHA256)]
    rows = rows_of([*maid, EMAIL], identities)

    assert rows == [[digest(UUID), digest(UUID), e("1")], [None, None, e("2")]]


CRM = EMAIL._replace(source="Crm_Email")


@pytest.mark.parametrize(
    ("identities", "rows", "dropped", "is_whole"),
    [
        pytest.param({"email": ONE}, [[e("1"), None]], {}, True, id="the first alone"),
        pytest.param({"crm_email": ONE}, [[e("1"), None]], {}, True, id="the second alone"),
        pytest.param(
            {"email": ONE, "phone": PHONE_ONE}, [[e("1"), p(1111)]], {}, True, id="beside a phone"
        ),
        pytest.param(
            {"phone": PHONE_ONE, "crm_email": ONE},
            [[e("1"), p(1111)]],
            {},
            True,
            id="behind a phone",
        ),
        pytest.param(
            {"phone": None, "crm_email": sha256(ONE)}, [[e("1"), None]], {}, True, id="no phone"
        ),
        pytest.param(
            {"email": sha256(ONE).upper(), "phone": PHONE_ONE},
            [[e("1"), p(1111)]],
            {},
            True,
            id="a digest",
        ),
        pytest.param(
            {"email": ONE, "crm_email": None, "phone": PHONE_ONE},
            [[e("1"), p(1111)]],
            {},
            False,
            id="null for the second",
        ),
        pytest.param(
            {"email": None, "crm_email": ONE, "phone": PHONE_ONE},
            [[None, p(1111)], [e("1"), None]],
            {},
            False,
            id="null for the first keeps its place",
        ),
        pytest.param(
            {"email": "", "crm_email": ONE}, [[e("1"), None]], {}, False, id="nothing for one"
        ),
        pytest.param(
            {"email": None, "crm_email": None, "phone": PHONE_ONE},
            [[None, p(1111)]],
            {},
            False,
            id="null for both",
        ),
        pytest.param({"crm_email": None, "email": None}, [], {}, False, id="null alone"),
        pytest.param(
            {"email": ONE, "crm_email": TWO, "phone": PHONE_ONE},
            [[e("1"), p(1111)], [e("2"), None]],
            {},
            False,
            id="both",
        ),
        pytest.param(
            {"crm_email": TWO, "phone": PHONE_ONE, "email": ONE},
            [[e("1"), p(1111)], [e("2"), None]],
            {},
            False,
            id="both, in another order",
        ),
        pytest.param(
            {"email": ONE, "crm_email": ONE},
            [[e("1"), None], [e("1"), None]],
            {},
            False,
            id="both, and the same",
        ),
        pytest.param(
            {"email": "bad", "crm_email": ONE, "phone": PHONE_ONE},
            [[None, p(1111)], [e("1"), None]],
            {("email", MALFORMED): 1},
            False,
            id="one is unusable",
        ),
        pytest.param(
            {"crm_email": ONE, "phone": "bad", "cookie": "7"},
            [[e("1"), None]],
            {("phone", MALFORMED): 1, (OTHER_SOURCE, UNMAPPED): 1},
            False,
            id="another is unusable",
        ),
        pytest.param(
            {"cookie": "7", "crm_email": ONE, "visitor": ["8", "9"], "none": None, "empty": [""]},
            [[e("1"), None]],
            {(OTHER_SOURCE, UNMAPPED): 2},
            True,
            id="unmapped ones beside the second",
        ),
        pytest.param(
            {"cookie": "7", "email": ONE, "crm_email": TWO},
            [[e("1"), None], [e("2"), None]],
            {(OTHER_SOURCE, UNMAPPED): 1},
            False,
            id="an unmapped one beside both",
        ),
        pytest.param(
            {"CRM_EMAIL": ONE, "cookie": "7"},
            [[e("1"), None]],
            {(OTHER_SOURCE, UNMAPPED): 1},
            False,
            id="a name in capitals",
        ),
        pytest.param(
            {"crm_email": TWO, "Email": ONE},
            [[e("1"), None], [e("2"), None]],
            {},
            False,
            id="both, one in capitals",
        ),
        pytest.param(
            {"email": ONE, "cookie": "7", "EMAIL": TWO},
            [[e("1"), None], [e("2"), None]],
            {(OTHER_SOURCE, UNMAPPED): 1},
            False,
            id="one in both spellings",
        ),
    ],
)
def test_two_sources_of_one_target_make_the_same_rows_on_every_way(
    identities: dict[str, Any],
    rows: list[Digests],
    dropped: dict[tuple[str, str], int],
    *,
    is_whole: bool,
) -> None:
    single, listed = IdentityMap([EMAIL, PHONE, CRM]), IdentityMap([EMAIL, PHONE, CRM])
    lists = {
        name: value if isinstance(value, list) else [value] for name, value in identities.items()
    }

    assert single.rows(identities) == listed.rows(lists) == rows
    assert single.dropped == listed.dropped == dropped
    assert single.kinds.totals() == listed.kinds.totals()
    assert sum(single.kinds.totals().values()) == sum(len([*filter(None, row)]) for row in rows)
    assert sum(single.kinds.profiles) == is_whole
    assert sum(listed.kinds.profiles) == 0


def test_targets_are_in_configured_order_once_each() -> None:
    identities = IdentityMap([PHONE, EMAIL, EMAIL._replace(source="Work")])

    assert identities.targets == (Target.PHONE_SHA256, Target.EMAIL_SHA256)
    assert identities.sources == {"phone", "email", "work"}


# Counting what is dropped.


@pytest.mark.parametrize(
    ("identities", "dropped"),
    [
        pytest.param({"email": ONE, "phone": PHONE_ONE}, {}, id="nothing is dropped"),
        pytest.param({"email": "bad"}, {("email", MALFORMED): 1}, id="malformed"),
        pytest.param({"Email": ["bad", "bad", ONE]}, {("email", MALFORMED): 2}, id="in a list"),
        pytest.param({"email": 7}, {("email", NOT_TEXT): 1}, id="a number"),
        pytest.param({"email": True}, {("email", NOT_TEXT): 1}, id="a boolean"),
        pytest.param({"email": {"a": ONE}}, {("email", NOT_TEXT): 1}, id="an object"),
        pytest.param(
            {"email": [[ONE], 1.5, {}]}, {("email", NOT_TEXT): 3}, id="odd ones in a list"
        ),
        pytest.param({"email": sha256("")}, {("email", KNOWN_BAD_DIGEST): 1}, id="known bad"),
        pytest.param({"email": [None, ""], "phone": None}, {}, id="absent ones are not dropped"),
        pytest.param({"email": "  "}, {("email", MALFORMED): 1}, id="white space"),
        pytest.param(
            {"email": ONE, "crm": "7", "cookie": ["8", "9"]},
            {(OTHER_SOURCE, UNMAPPED): 2},
            id="unmapped namespaces, by name",
        ),
        pytest.param({"email": ONE, "crm": None, "x": [""]}, {}, id="absent unmapped ones"),
        pytest.param(
            {"email": "bad", "phone": "bad", "crm": 1},
            {("email", MALFORMED): 1, ("phone", MALFORMED): 1, (OTHER_SOURCE, UNMAPPED): 1},
            id="all at once",
        ),
    ],
)
def test_each_drop_is_counted_once(
    identities: dict[str, Any], dropped: dict[tuple[str, str], int]
) -> None:
    mapped = IdentityMap([EMAIL, PHONE])
    mapped.rows(identities)

    assert mapped.dropped == dropped
    assert {reason for _, reason in mapped.dropped} <= set(DROP_REASONS)


MANY = [f"{number}@b.c" for number in range(MOST_VALUES + 3)]


@pytest.mark.parametrize(
    "identities",
    [
        {"email": [*MANY, None, ""], "phone": PHONE_ONE},
        {"email": MANY[:40], "Email": MANY[40:], "EMAIL": [None], "phone": [PHONE_ONE]},
    ],
    ids=["in one list", "in several spellings"],
)
def test_what_is_beyond_the_bound_of_a_namespace_is_dropped_and_counted(
    identities: dict[str, Any],
) -> None:
    mapped = IdentityMap([EMAIL, PHONE])
    rows = mapped.rows(identities)

    assert [row[0] for row in rows] == [digest(one) for one in MANY[:MOST_VALUES]]
    assert rows[0][1] == p(1111)
    assert mapped.dropped == {("email", TOO_MANY_VALUES): 3}


def test_a_namespace_that_is_filled_to_its_bound_loses_nothing() -> None:
    mapped = IdentityMap([EMAIL])

    assert len(mapped.rows({"email": MANY[:MOST_VALUES]})) == MOST_VALUES
    assert not mapped.dropped


def test_dropped_values_of_one_source_are_counted_for_each_of_its_targets() -> None:
    maid = [IDFA._replace(source="maid"), IdentityMapping("maid", Target.AAID_SHA256)]
    mapped = IdentityMap(maid)
    mapped.rows({"maid": [UUID] * (MOST_VALUES + 1)})

    assert mapped.dropped == {("maid", TOO_MANY_VALUES): 2}


def test_an_unmapped_namespace_is_counted_beside_one_source_of_two_targets() -> None:
    maid = [IDFA._replace(source="maid"), IdentityMapping("maid", Target.AAID_SHA256)]
    mapped = IdentityMap(maid)
    mapped.rows({"maid": UUID, "crm": "7"})

    assert mapped.dropped == {(OTHER_SOURCE, UNMAPPED): 1}


# Judging a profile without rows.


@pytest.mark.parametrize(
    ("identities", "reason"),
    [
        pytest.param({}, "no_identities", id="empty"),
        pytest.param({"email": None, "crm": ""}, "no_identities", id="all absent"),
        pytest.param({"email": [], "crm": [None, ""]}, "no_identities", id="all absent in lists"),
        pytest.param({"email": "bad"}, "no_usable_identity", id="a mapped one, none usable"),
        pytest.param(
            {"Email": "bad", "crm": "7"}, "no_usable_identity", id="beside an unmapped one"
        ),
        pytest.param({"email": 7}, "no_usable_identity", id="a number"),
        pytest.param({"email": [{}]}, "no_usable_identity", id="an object in a list"),
    ],
)
def test_a_profile_without_a_usable_identity_is_invalid(
    identities: dict[str, Any], reason: str
) -> None:
    mapped = IdentityMap([EMAIL, PHONE])

    assert mapped.rows(identities) == []
    with pytest.raises(InvalidRecord) as invalid:
        mapped.judge(identities)
    assert invalid.value.reason == reason


@pytest.mark.parametrize(
    "identities",
    [{"crm": "7"}, {"crm": "7", "email": None}, {"crm": 7}, {"crm": {}, "phone": ["", None]}],
)
def test_a_profile_of_unmapped_namespaces_alone_is_no_fault(identities: dict[str, Any]) -> None:
    mapped = IdentityMap([EMAIL, PHONE])

    assert mapped.rows(identities) == []
    mapped.judge(identities)


def test_a_profile_whose_usable_values_all_stand_beyond_the_bound_is_invalid() -> None:
    mapped = IdentityMap([EMAIL])
    identities = {"email": ["bad"] * MOST_VALUES + [ONE]}

    assert mapped.rows(identities) == []
    with pytest.raises(InvalidRecord, match="no usable value under: email"):
        mapped.judge(identities)


@pytest.mark.parametrize("namespace", ["email", "crm"])
@pytest.mark.parametrize("depth", [10, 500, 50_000])
def test_deeply_nested_values_are_merely_unusable(namespace: str, depth: int) -> None:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    mapped = IdentityMap([EMAIL])

    assert mapped.rows({namespace: value}) == []
    if namespace == "email":
        with pytest.raises(InvalidRecord, match="email"):
            mapped.judge({namespace: value})
    else:
        mapped.judge({namespace: value})


def test_a_judgement_names_configured_namespaces_and_no_value() -> None:
    mapped = IdentityMap([EMAIL, PHONE])

    with pytest.raises(InvalidRecord) as invalid:
        mapped.judge({"EMAIL": "secret", "phone": ["secret"], "secret": "secret"})

    assert invalid.value.detail == "no usable value under: email, phone"
