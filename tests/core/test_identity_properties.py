"""Whatever the values: one digest for one person, and nothing counted twice or lost."""

import re
from typing import Any

import phonenumbers
from hypothesis import given
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


def digest_of(mapping: IdentityMapping, value: str) -> str | None:
    try:
        return encoder(mapping)(value)
    except Unusable as unusable:
        said = unusable.args
    assert len(said) == 1
    assert said[0] in DROP_REASONS
    return None


@many
@given(mappings, values)
def test_a_value_is_a_lower_case_digest_of_the_targets_length_or_unusable(
    mapping: IdentityMapping, value: str
) -> None:
    digest = digest_of(mapping, value)
    length = 32 if mapping.target.endswith("MD5") else 64

    assert digest is None or re.fullmatch(f"[0-9a-f]{{{length}}}", digest)


@many
@given(mappings, values)
def test_what_is_hashed_already_is_not_hashed_again(mapping: IdentityMapping, value: str) -> None:
    digest = digest_of(mapping._replace(transformation=Transformation.AUTO), value)
    if digest is None:
        return
    for transformation in (Transformation.AUTO, Transformation.NEVER):
        again = mapping._replace(transformation=transformation)

        assert digest_of(again, digest) == digest
        assert digest_of(again, f" {digest.upper()} ") == digest


@many
@given(mappings, values)
def test_a_normal_form_is_its_own(mapping: IdentityMapping, value: str) -> None:
    normalise = rule(mapping).normalise
    try:
        normal = normalise(value.strip())
    except Unusable:
        return

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


def test_no_space_of_any_script_can_stand_in_an_address() -> None:
    chars = [chr(code) for code in range(0x11000)]

    for place in ("a{}b@c.de", "a@{}c.de", "a@c{}c.de", "a@c.d{}e"):
        spaces = [char for char in chars if not EMAIL.is_normal(place.format(char))]
        assert spaces == [char for char in chars if char.isspace() or char == "@"]


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
)
configurations = st.sampled_from(CONFIGURATIONS)
odd: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.just({}) | st.just([[]])
)
profiles = st.dictionaries(st.sampled_from(NAMESPACES), values, max_size=4)
odd_profiles = st.dictionaries(
    st.sampled_from(NAMESPACES) | texts,
    values | odd | st.lists(values | odd, max_size=4),
    max_size=5,
)


@many
@given(configurations, profiles)
def test_single_values_and_lists_of_one_are_the_same(
    mapped: tuple[IdentityMapping, ...], profile: dict[str, str]
) -> None:
    short, general = IdentityMap(mapped), IdentityMap(mapped)

    rows = short.rows(profile)

    assert rows == general.rows({name: [value] for name, value in profile.items()})
    assert short.dropped == general.dropped
    assert short.kinds.totals() == general.kinds.totals()


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
