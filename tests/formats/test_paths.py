"""JMESPath expressions: which can be used, what they find, and the consent that one of them finds."""

import contextlib
from typing import Any

import jmespath
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidRecord
from connector.formats import native
from connector.formats.paths import Path, problem_of, with_consent
from tests.formats.strategies import many
from tests.formats.test_native import event


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("user.id", None),
        ("user.phones[?type=='m'].number | [0]", None),
        ("not_null(a, b, c)", None),
        ("", "is not a JMESPath expression"),
        (" ", "is not a JMESPath expression"),
        ("user.", "is not a JMESPath expression"),
        ("$.user.id", "is not a JMESPath expression"),
        ("user.first-name", "is not a JMESPath expression"),
        ("(" * 5_000 + "a", "is not a JMESPath expression"),
        ("lower(user.email)", "calls lower(), a function that JMESPath does not have"),
        (
            "a[?b==lower(c)]",
            "calls lower(), a function that JMESPath does not have",
        ),
        ("length(a, b)", "calls length() with 2 arguments"),
        ("not_null()", "calls not_null() with 0 arguments"),
        ("a[::0]", "has a slice with a step of 0"),
    ],
)
def test_what_is_wrong_with_an_expression_is_said(path: str, problem: str | None) -> None:
    assert problem_of(path) == problem


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax")
@many
@given(st.text() | st.text("ab.[]*?@&()`'\"|!{}:0-1,=<"))
def test_any_expression_is_usable_or_has_a_problem(path: str) -> None:
    assert problem_of(path) is None or isinstance(problem_of(path), str)


@pytest.mark.parametrize("path", ["", "user.", "lower(a)", "a[::0]"])
def test_a_path_that_cannot_be_used_is_refused_by_its_key(path: str) -> None:
    with pytest.raises(ValueError, match=r"^consent (is|calls|has)"):
        with_consent(native.FORMAT, path)


names = st.sampled_from(["a", "b", '"c d"'])
plain_paths = st.builds(
    lambda first, rest: first + "".join(rest),
    names,
    st.lists(names.map(lambda name: f".{name}") | st.sampled_from(["[0]", "[1]", "[-1]"])),
)
small_trees = st.recursive(
    st.none() | st.integers(0, 9) | st.text("xy", max_size=2),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c d"]), below, max_size=3)
    ),
)


usual_paths = st.recursive(
    plain_paths | plain_paths.map(lambda path: f"{path} == 'x'"),
    lambda below: (
        st.builds("({} || {})".format, below, below)
        | st.builds('{{a: {}, "c d": {}}}'.format, below, below)
        | below.map(lambda path: f"({path}) == 'y'")
    ),
    max_leaves=4,
)


@many
@given(usual_paths, st.dictionaries(st.sampled_from(["a", "b", "c d"]), small_trees))
def test_a_usual_path_finds_what_the_library_finds(path: str, tree: dict[str, Any]) -> None:
    found = Path("key", path)

    assert not found.needs_library
    assert repr(found.find(tree)) == repr(jmespath.search(path, tree))


@pytest.mark.parametrize(
    "path",
    [
        *(
            "a[]",
            "a[*].b",
            "@",
            "length(a)",
            "a[0:1]",
            "[a, b]",
            "a != 'y'",
            "a == `1`",
            "'y' == a",
        ),
        *(
            "a || length(b)",
            "{a: @}",
            "{a: b[]}",
            "a[] == 'y'",
            "a && b",
            "!a",
            "a == b",
            "a > `1`",
        ),
    ],
)
def test_other_expressions_are_the_librarys(path: str) -> None:
    assert Path("key", path).needs_library


def test_a_path_of_any_depth_is_found_or_refused() -> None:
    for depth in range(1, 1_000, 37):
        path = " || ".join(["a"] * depth)
        if problem_of(path) is None:
            with contextlib.suppress(InvalidRecord):
                assert Path("key", path).find({"a": None}) is None


def test_what_cannot_be_evaluated_refuses_and_quotes_nothing() -> None:
    with pytest.raises(InvalidRecord) as invalid:
        Path("status.path", "join('', user)").find({"user": "jane@example.com"})

    assert invalid.value.reason == "wrong_type"
    assert invalid.value.detail == "status.path: its expression cannot be evaluated on this record"


# Consent


def consent_at(path: str, tree: dict[str, Any]) -> object:
    [one] = with_consent(native.FORMAT, path).decode(orjson.dumps(tree))
    return one.consent


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("privacy", {"ads": True, "list": ["a", "b"]}),
        ("privacy.none", None),
        ("privacy.ads.none", None),
        ("{advertising: privacy.ads}", {"advertising": True}),
        ("{advertising: privacy.none == 'y'}", {"advertising": False}),
        ("{advertising: contains(privacy.list, 'b')}", {"advertising": True}),
        # What cannot be evaluated finds nothing, and refuses nobody.
        ("{advertising: contains(privacy.none, 'b')}", None),
        ("{advertising: join('', privacy.ads)}", None),
    ],
)
def test_consent_is_what_its_path_finds(path: str, found: object) -> None:
    assert consent_at(path, event(privacy={"ads": True, "list": ["a", "b"]})) == found


def test_a_path_goes_before_the_field_of_the_native_event() -> None:
    tree = event(consent={"advertising": True}, privacy={"advertising": False})

    assert consent_at("privacy", tree) == {"advertising": False}


@pytest.mark.parametrize("path", ["privacy.ads", "privacy | other"])
def test_a_record_is_refused_for_nothing_else_than_before(path: str) -> None:
    decode = with_consent(native.FORMAT, path).decode
    for value in (b"", b"{", b"[]", orjson.dumps(event(status=...)), b"\xff"):
        with pytest.raises(InvalidRecord) as before:
            native.decode(value)
        with pytest.raises(InvalidRecord) as now:
            decode(value)
        assert (now.value.reason, now.value.detail) == (before.value.reason, before.value.detail)


def test_a_record_that_is_too_much_for_the_library_is_refused() -> None:
    value = orjson.dumps(event(list=["a"] * 10_001))

    assert with_consent(native.FORMAT, "privacy").decode(value)
    with pytest.raises(InvalidRecord) as invalid:
        with_consent(native.FORMAT, "privacy | other").decode(value)
    assert invalid.value.reason == "too_complex"
