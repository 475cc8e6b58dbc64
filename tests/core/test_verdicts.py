"""What is said of each value of a profile: its form, whether it is usable, and nothing of itself."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.identity import (
    DROP_REASONS,
    MOST_VALUES,
    IdentityMap,
    IdentityMapping,
    Target,
    Transformation,
)
from connector.core.verdicts import Form, Judge, Verdict
from tests.formats.strategies import many, texts, trees

EMAIL, PHONE = Target.EMAIL_SHA256, Target.PHONE_SHA256
MAPPINGS = (
    IdentityMapping("email", EMAIL),
    IdentityMapping("Phone", PHONE, default_region="US"),
    IdentityMapping("idfa", Target.IDFA_MD5),
    IdentityMapping("idfa", Target.AAID_SHA256, Transformation.NEVER),
    IdentityMapping("crm", EMAIL, Transformation.ALWAYS),
)
SHA256 = "83dc3f5f32b9472613b0f038d36f22585a609d018af6f6067f50da318bf354bd"
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
IDFA = "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"


def verdicts(identities: dict[str, Any]) -> list[Verdict]:
    return Judge(MAPPINGS).verdicts(identities)


@pytest.mark.parametrize(
    ("value", "form", "length", "reason"),
    [
        ("jane@example.com", Form.PLAIN, None, None),
        ("jane@@example.com", Form.PLAIN, None, "malformed"),
        ("jane.example.com", Form.PLAIN, 16, "malformed"),
        (f" {SHA256.upper()}", Form.DIGEST, 65, None),
        (NOTHING, Form.DIGEST, 64, "known_bad_digest"),
        (" ", Form.PLAIN, 1, "malformed"),
        ("", Form.ABSENT, None, None),
        (None, Form.ABSENT, None, None),
        (7, Form.NOT_TEXT, None, "not_text"),
        ({"a": "b"}, Form.NOT_TEXT, None, "not_text"),
    ],
)
def test_each_kind_of_value_has_its_verdict(
    value: object, form: Form, length: int | None, reason: str | None
) -> None:
    assert verdicts({"EMail": value}) == [Verdict("email", EMAIL, form, length, reason)]


def test_a_source_of_two_targets_is_judged_for_each() -> None:
    plain, hashed = verdicts({"idfa": IDFA})

    assert plain == Verdict("idfa", Target.IDFA_MD5, Form.PLAIN, 36, None)
    assert hashed == Verdict("idfa", Target.AAID_SHA256, Form.PLAIN, 36, "not_a_digest")
    assert [one.is_usable for one in (plain, hashed)] == [True, False]


def test_values_keep_their_order_and_what_is_not_configured_comes_last() -> None:
    found = verdicts({"other": "x", "phone": ["+12133734253", None], "more": [None], "x": ["y"]})

    assert [(one.namespace, one.form, one.times) for one in found] == [
        ("phone", Form.PLAIN, 1),
        ("phone", Form.ABSENT, 1),
        ("other", None, 2),
    ]


def test_values_beyond_those_that_are_looked_at_are_one_verdict() -> None:
    found = verdicts({"email": ["a@b.c"] * MOST_VALUES + ["a@b.c", None, ""]})

    assert len(found) == MOST_VALUES + 1
    assert found[-1] == Verdict("email", EMAIL, None, None, "too_many_values", 1)


values = (
    st.sampled_from(["jane@example.com", "+12133734253", "2133734253", SHA256, NOTHING, IDFA, " "])
    | st.sampled_from(["1" * 32, "A" * 64, "\ud800@b.c", "", None])
    | trees
)
names = st.sampled_from(["email", "EMAIL", "phone", "idfa", "IDFA", "crm", "Crm"]) | texts


@many
@given(st.dictionaries(names, values | st.lists(values, max_size=4), max_size=5))
def test_the_verdicts_are_those_of_the_rows(identities: dict[str, Any]) -> None:
    rows = IdentityMap(MAPPINGS)
    made = Counter(
        target
        for row in rows.rows(identities)
        for target, digest in zip(rows.targets, row, strict=True)
        if digest is not None
    )
    found = verdicts(identities)

    assert Counter(one.target for one in found if one.is_usable) == made
    dropped: Counter[tuple[str, str]] = Counter()
    for one in found:
        if one.reason is not None:
            assert one.reason in DROP_REASONS
            dropped[one.namespace, one.reason] += one.times
    assert dropped == +rows.dropped
