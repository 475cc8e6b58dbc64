"""Whatever the values: one digest for one person, and nothing counted twice or lost."""

import re
from collections import Counter
from hashlib import sha256
from typing import Any

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connector.core.identity import (
    DROP_REASONS,
    OTHER_SOURCE,
    IdentityMap,
    IdentityMapping,
    Target,
    Transformation,
    encoder,
    rule,
)
from connector.core.kinds import Kind
from connector.core.normal_forms import EMAIL, Unusable
from connector.errors import InvalidRecord
from tests.core.strategies import many

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
parts = st.text("aZ.+ 1@", min_size=1, max_size=6)
emails = st.builds("{}@{}.{}".format, parts, parts, parts)
device_ids = st.uuids().map(str)
numbers = st.builds(
    "{}{}".format,
    st.sampled_from(["", "+", "+1 ", "(+44) "]),
    st.text("0123456789 -()", max_size=18),
)
values = (
    texts
    | emails
    | device_ids
    | device_ids.map(str.upper)
    | numbers
    | st.text(max_size=5).map("{}@b.c".format)
    | st.text("0123456789abcdefABCDEF", min_size=64, max_size=64)
    | st.text("0123456789abcdef", min_size=32, max_size=32)
    | st.binary(min_size=32, max_size=32).map(bytes.hex).map("{} ".format)
    | st.sampled_from(["jane@example.com", "+12133734253", " Jane@Example.com", ""])
)
mappings = st.builds(
    IdentityMapping,
    source=st.just("source"),
    target=st.sampled_from(Target),
    transformation=st.sampled_from(Transformation),
    default_region=st.sampled_from([None, "US", "DE"]),
    strip_plus=st.booleans(),
    strip_dots=st.booleans(),
)


def digest_of(mapping: IdentityMapping, value: str) -> bytes | None:
    try:
        return encoder(mapping)(value)
    except Unusable as unusable:
        said = unusable.args
    assert len(said) == 1
    assert said[0] in DROP_REASONS
    return None


@many
@given(mappings, values)
def test_a_value_is_a_digest_of_the_targets_length_or_unusable(
    mapping: IdentityMapping, value: str
) -> None:
    digest = digest_of(mapping, value)
    length = 16 if mapping.target.endswith("MD5") else 32

    assert digest is None or (type(digest) is bytes and len(digest) == length)


@many
@given(mappings, values)
def test_what_is_hashed_already_is_not_hashed_again(mapping: IdentityMapping, value: str) -> None:
    digest = digest_of(mapping._replace(transformation=Transformation.AUTO), value)
    if digest is None:
        return
    for transformation in (Transformation.AUTO, Transformation.NEVER):
        again = mapping._replace(transformation=transformation)

        assert digest_of(again, digest.hex()) == digest
        assert digest_of(again, f" {digest.hex().upper()} ") == digest


@many
@given(mappings, values)
def test_a_normal_form_is_its_own(mapping: IdentityMapping, value: str) -> None:
    normalise = rule(mapping).normalise
    try:
        normal = normalise(value.strip())
    except Unusable:
        return
    assume(not re.fullmatch("[+][0-9]{16,}", normal))  # usable in its region alone

    assert normalise(normal) == normal
    assert normalise(f" {value}\t".strip()) == normal


@many
@given(mappings, values | values.map(str.upper) | values.map("\u2003{}\n".format))
def test_a_row_holds_what_the_encoder_makes_of_a_value(
    mapping: IdentityMapping, value: str
) -> None:
    digest = digest_of(mapping, value)
    identities = IdentityMap([mapping])

    assert identities.rows({"source": value}) == ([] if digest is None else [[digest]])
    assert sum(identities.kinds.totals().values()) == (digest is not None)


def is_address(text: str) -> bool:
    try:
        EMAIL.normalise(text)
    except Unusable:
        return False
    return True


def test_no_space_of_any_script_can_stand_in_an_address() -> None:
    chars = [chr(code) for code in range(0x11000)]

    for place in ("a{}b@c.de", "a@{}c.de", "a@c{}c.de", "a@c.d{}e"):
        spaces = [char for char in chars if not is_address(place.format(char))]
        assert spaces == [char for char in chars if char.isspace() or char == "@"]


def test_the_short_way_takes_no_capital_no_space_and_nothing_but_ascii_of_an_address() -> None:
    chars = [chr(code) for code in range(0x11000)]
    usual = {char for char in chars if "!" <= char <= "~" and char != "@" and not char.isupper()}

    for place in ("{}b@c.de", "a{}b@c.de", "a@{}c.de", "a@c{}c.de", "a@c.d{}e", "a@c.d{}"):
        taken = {char for char in chars if EMAIL.is_normal(place.format(char))}
        assert {*"abcxyz0189_-"} <= taken <= usual


def plain_of(mapping: IdentityMapping) -> st.SearchStrategy[str]:
    """Values that are mostly usable and mostly in their normal form."""
    if mapping.target is Target.EMAIL_SHA256:
        some = st.text("az09_-", min_size=1, max_size=6)
        return st.builds("{}@{}.{}".format, some | parts, some, some | parts.map(str.lower))
    if mapping.target is Target.PHONE_SHA256:
        return st.from_regex(r"\+[0-9]{6,16}", fullmatch=True)
    return device_ids


UNUSUAL = (
    *("A", "Z", " ", "\n", "\x00", "\x1f", "\x7f", "\x85", "\u00a0", "\u2003", "\u00e9", "\u00c9"),
    *("\u0130", "\u0131", "\u017f", "\u1e9e", "\u212a", "\uff21", "\u0661", "\u2010", "\ud800"),
    *("@", ".", "+", "-", "0", ""),
)
"""What may make a value another than its normal form, or none."""


def spoilt(text: str, place: int, char: str) -> str:
    return text[:place] + char + text[place:]


told = mappings.flatmap(
    lambda one: st.tuples(
        st.just(one),
        plain_of(one)
        | st.builds(spoilt, plain_of(one), st.integers(-20, 40), st.sampled_from(UNUSUAL))
        | values,
    )
)


@many
@given(told)
def test_what_the_short_way_takes_is_its_own_normal_form_as_it_stands(
    of: tuple[IdentityMapping, str],
) -> None:
    mapping, text = of
    is_normal, normalise = rule(mapping)
    assume(is_normal(text))  # where that is rare, Hypothesis says so

    assert normalise(text) == text
    assert text.isascii()
    assert text == text.strip() == text.lower()


@pytest.mark.parametrize(
    ("target", "value"),
    [
        (Target.EMAIL_SHA256, "jane@example.com"),
        (Target.EMAIL_SHA256, "jane_doe-7@mail.example.co.uk"),
        (Target.PHONE_SHA256, "+12133734253"),
        (Target.IDFA_SHA256, "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"),
        (Target.AAID_MD5, "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"),
    ],
)
@pytest.mark.parametrize("strips", [False, True])
def test_the_short_way_takes_what_nearly_all_values_are(
    target: Target, value: str, *, strips: bool
) -> None:
    mapping = IdentityMapping(
        "x", target, default_region="US", strip_plus=strips, strip_dots=strips
    )

    assert rule(mapping).is_normal(value)
    assert not rule(mapping).is_normal(f"{value} ")
    assert not rule(mapping).is_normal(f"\n{value}")
    assert value.upper() == value or not rule(mapping).is_normal(value.upper())


@many
@given(mappings, values)
def test_all_plain_and_told_apart_agree_on_plain_values(
    mapping: IdentityMapping, value: str
) -> None:
    always = digest_of(mapping._replace(transformation=Transformation.ALWAYS), value)

    if always is not None:
        assert digest_of(mapping._replace(transformation=Transformation.AUTO), value) == always


regions = st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS))
prefixes = st.text("0123456789", max_size=6) | st.sampled_from(["00", "011", "0011", "0015"])


@many
@given(regions, prefixes, st.text("0123456789", min_size=33, max_size=60))
def test_no_region_has_a_valid_number_of_more_digits_than_are_looked_at(
    region: str, prefix: str, digits: str
) -> None:
    try:
        number = phonenumbers.parse(prefix + digits, region)
    except phonenumbers.NumberParseException:
        return
    assert not phonenumbers.is_valid_number_for_region(number, region)


NAMESPACES = ("email", "phone", "idfa", "Email", "crm")
SOURCES: dict[str, Target] = {
    "email": Target.EMAIL_SHA256,
    "crm": Target.EMAIL_SHA256,
    "phone": Target.PHONE_SHA256,
    "idfa": Target.IDFA_SHA256,
    "CRM": Target.EMAIL_SHA256,
}
CONFIGURATIONS = (
    (
        IdentityMapping("email", Target.EMAIL_SHA256),
        IdentityMapping("phone", Target.PHONE_SHA256, default_region="US"),
        IdentityMapping("idfa", Target.IDFA_SHA256),
    ),
    (
        IdentityMapping("email", Target.EMAIL_SHA256),
        IdentityMapping("IDFA", Target.IDFA_MD5),
        IdentityMapping("idfa", Target.AAID_SHA256),
    ),
    (
        IdentityMapping("phone", Target.PHONE_SHA256),
        IdentityMapping("crm", Target.EMAIL_SHA256),
        IdentityMapping("email", Target.EMAIL_SHA256),
    ),
    (
        IdentityMapping("email", Target.EMAIL_SHA256, strip_plus=True, strip_dots=True),
        IdentityMapping("Crm", Target.EMAIL_SHA256, Transformation.ALWAYS),
        IdentityMapping("idfa", Target.IDFA_SHA256, Transformation.NEVER),
    ),
)
configurations = st.sampled_from(CONFIGURATIONS)
odd: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.just({}) | st.just([[]])
)


def forms_of(value: str) -> st.SearchStrategy[str]:
    """One value, written in the ways that are counted apart."""
    hashed = sha256(value.encode()).hexdigest()
    plain = (value, value, f" {value}", value.ljust(64))
    return st.sampled_from((*plain, hashed, hashed.upper(), f"{hashed}\n", f" {hashed.upper()}"))


fitting = {
    name: plain_of(IdentityMapping(name, target)).flatmap(forms_of) | st.none()
    for name, target in SOURCES.items()
}
long_addresses = st.integers(55, 65).map(lambda length: "@b.c".rjust(length, "a"))
fitting["crm"] |= long_addresses
profiles = st.dictionaries(
    st.sampled_from(NAMESPACES), values | st.none(), max_size=4
) | st.fixed_dictionaries({}, optional={**fitting, "cookie": values | st.none()})
odd_profiles = st.dictionaries(
    st.sampled_from(NAMESPACES) | texts,
    values | odd | st.lists(values | odd, max_size=4),
    max_size=5,
)


@many
@given(configurations, profiles)
def test_single_values_and_lists_of_one_are_the_same(
    mapped: tuple[IdentityMapping, ...], profile: dict[str, str | None]
) -> None:
    short, general, lists = (IdentityMap(mapped) for _ in range(3))

    rows = short.rows(profile)

    assert rows == general._rows_of_any(profile)
    assert rows == lists.rows({name: [value] for name, value in profile.items()})
    assert short.dropped == general.dropped == lists.dropped
    assert short.kinds.totals() == general.kinds.totals() == lists.kinds.totals()
    assert sum(lists.kinds.profiles) == sum(general.kinds.profiles) == 0


@many
@given(configurations, st.lists(profiles, max_size=5))
def test_profiles_leave_nothing_behind_for_those_after_them(
    mapped: tuple[IdentityMapping, ...], some: list[dict[str, str | None]]
) -> None:
    together = IdentityMap(mapped)
    dropped, kinds = Counter[tuple[str, str]](), Counter[tuple[str, Kind]]()
    for profile in some:
        alone = IdentityMap(mapped)
        assert together.rows(profile) == alone.rows(profile)
        dropped += alone.dropped
        kinds += Counter(alone.kinds.totals())

    assert together.dropped == dropped
    assert +Counter(together.kinds.totals()) == kinds


def kind_of(mapping: IdentityMapping, value: str) -> Kind:
    """What a usable value is, by its looks."""
    text = value.strip()
    length = 32 if mapping.target.endswith("MD5") else 64
    looks_hashed = re.fullmatch(f"[0-9a-fA-F]{{{length}}}", text) is not None
    if not looks_hashed or mapping.transformation is Transformation.ALWAYS:
        return Kind.PLAIN
    return Kind.DIGEST if text == text.lower() else Kind.DIGEST_UPPER_CASE


@many
@given(
    mappings.flatmap(
        lambda one: st.tuples(
            st.just(one), plain_of(one).flatmap(forms_of) | values | long_addresses
        )
    )
)
def test_a_usable_value_is_counted_as_what_it_is_alone_and_in_lists(
    of: tuple[IdentityMapping, str],
) -> None:
    mapping, value = of
    assume(digest_of(mapping, value) is not None)
    kind = kind_of(mapping, value)
    for profile, times in (
        ({"source": value}, 1),
        ({"Source": value, "cookie": "7"}, 1),
        ({"source": [value, None, value]}, 2),
        ({"source": value, "SOURCE": value, "cookie": None}, 2),
    ):
        identities = IdentityMap([mapping])
        identities.rows(profile)

        assert +Counter(identities.kinds.totals()) == {("source", kind): times}


def is_present(value: Any) -> bool:
    return value is not None and value != ""


@many
@given(configurations, odd_profiles)
def test_every_value_becomes_a_digest_or_is_counted_or_is_absent(
    mapped: tuple[IdentityMapping, ...], profile: dict[str, Any]
) -> None:
    identities = IdentityMap(mapped)
    rows = identities.rows(profile)
    lists = {name: value if isinstance(value, list) else [value] for name, value in profile.items()}
    of_source = {
        mapping.source.lower(): sum(one.source.lower() == mapping.source.lower() for one in mapped)
        for mapping in mapped
    }
    present = sum(
        of_source[name.lower()] * sum(map(is_present, some))
        for name, some in lists.items()
        if name.lower() in of_source
    )
    unmapped = sum(
        any(map(is_present, some)) for name, some in lists.items() if name.lower() not in of_source
    )
    digests = sum(digest is not None for row in rows for digest in row)
    other = sum(n for (source, _), n in identities.dropped.items() if source == OTHER_SOURCE)

    assert digests + identities.dropped.total() - other == present
    assert other == unmapped
    assert sum(identities.kinds.totals().values()) == digests
    assert all(any(row) and len(row) == len(identities.targets) for row in rows)
    assert {source for source, _ in identities.dropped} <= {*identities.sources, OTHER_SOURCE}
    assert {reason for _, reason in identities.dropped} <= set(DROP_REASONS)


@many
@given(configurations, odd_profiles)
def test_a_profile_without_rows_is_judged_and_one_with_rows_is_not_at_fault(
    mapped: tuple[IdentityMapping, ...], profile: dict[str, Any]
) -> None:
    identities = IdentityMap(mapped)
    if identities.rows(profile):
        return
    present = {
        name.lower()
        for name, value in profile.items()
        if any(map(is_present, value if isinstance(value, list) else [value]))
    }
    reason = None
    try:
        identities.judge(profile)
    except InvalidRecord as invalid:
        reason = invalid.reason

    if not present:
        assert reason == "no_identities"
    elif present & identities.sources:
        assert reason == "no_usable_identity"
    else:
        assert reason is None
