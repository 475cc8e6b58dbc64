"""What a policy denies; and that nothing but a policy's owner can make it deny less."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.policy import Denial, Labelling, Policy, Rule

HEALTH = Labelling("health-*", frozenset({"health"}))
MINORS = Labelling("*-minors", frozenset({"minors"}))


def rule(labels: str | None = None, marketing_actions: str | None = None) -> Rule:
    return Rule("no", names(labels), names(marketing_actions))


def names(words: str | None) -> frozenset[str] | None:
    return None if words is None else frozenset(words.split())


@pytest.mark.parametrize(
    ("denying", "segment", "marketing_actions", "is_denied"),
    [
        (rule("health"), "health-a", "", True),
        (rule("health"), "health-a", "lookalike", True),
        (rule("health"), "sports", "", False),
        (rule("health minors"), "sports-minors", "", True),
        (rule("health", "retargeting"), "health-a", "retargeting", True),
        (rule("health", "retargeting lookalike"), "health-a", "exclusion lookalike", True),
        (rule("health", "retargeting"), "health-a", "exclusion", False),
        (rule("health", "retargeting"), "sports", "retargeting", False),
        (rule(None, "retargeting"), "sports", "retargeting", True),
        (rule(None, "retargeting"), "sports", "exclusion", False),
        # What a destination does not say may be anything.
        (rule("health", "retargeting"), "health-a", "", True),
        (rule(None, "retargeting"), "sports", "", True),
        (rule("health", "retargeting"), "sports", "", False),
    ],
)
def test_a_rule_denies_any_of_its_labels_to_any_of_its_marketing_actions(
    denying: Rule, segment: str, marketing_actions: str, *, is_denied: bool
) -> None:
    policy = Policy([denying], [HEALTH, MINORS])

    assert bool([*policy.denials(segment, marketing_actions.split())]) is is_denied


def test_a_denial_says_what_met() -> None:
    policy = Policy([rule("health minors", "a b"), rule("vip"), rule(None, "b")], [HEALTH, MINORS])

    first, second = policy.denials("health-minors", ["b", "c"])

    assert first == Denial(
        rule("health minors", "a b"), frozenset({"health", "minors"}), frozenset({"b"})
    )
    assert second == Denial(rule(None, "b"), frozenset(), frozenset({"b"}))
    assert [one.marketing_actions for one in policy.denials("health-x", [])] == [set(), set()]


@pytest.mark.parametrize(
    ("match", "segment", "matches"),
    [
        ("gold", "gold", True),
        ("gold", "golden", False),
        ("gold", "Gold", False),
        ("gold*", "gold", True),
        ("*gold", "old-gold", True),
        ("*", "", True),
        ("*", "two\nlines", True),
        ("g?ld", "gold", True),
        ("g?ld", "gld", False),
        ("tier-[12]", "tier-2", True),
        ("tier-[12]", "tier-3", False),
        ("tier-[!12]", "tier-3", True),
        ("tier-[[]x]", "tier-[x]", True),
        ("tier-[x", "tier-[x", True),
        ("a.c", "abc", False),
        ("a/*", "a/b/c", True),
    ],
)
def test_which_segments_an_entry_matches(match: str, segment: str, *, matches: bool) -> None:
    assert Policy([], [Labelling(match, frozenset({"x"}))]).labels_of(segment) == (
        {"x"} if matches else set()
    )
    assert Policy([], listed=[match]).allows_segment(segment) is matches


def test_a_segment_has_the_labels_of_all_that_match_it() -> None:
    assert Policy([], [HEALTH, MINORS]).labels_of("health-minors") == {"health", "minors"}


def test_any_segment_may_be_routed_unless_they_are_listed() -> None:
    assert Policy([]).allows_segment("x")
    assert not Policy([], listed=[]).allows_segment("x")


texts = st.lists(st.sampled_from("ab-*?[]"), max_size=6).map("".join)
words = st.frozensets(st.sampled_from(["a", "b", "c"]))
some_words = words.filter(bool)
labellings = st.lists(st.builds(Labelling, texts, words), max_size=4)
rules = st.lists(
    st.builds(Rule, st.sampled_from(["x", "y"]), st.none() | some_words, st.none() | some_words),
    max_size=4,
)


def denied(
    rules: Sequence[Rule], labellings: Sequence[Labelling], segment: str, actions: frozenset[str]
) -> set[Rule]:
    return {one.rule for one in Policy(rules, labellings).denials(segment, actions)}


@given(rules, labellings, st.builds(Labelling, texts, words), texts, words)
def test_another_labelling_never_allows_more(
    some: list[Rule],
    before: list[Labelling],
    another: Labelling,
    segment: str,
    actions: frozenset[str],
) -> None:
    assert denied(some, before, segment, actions) <= denied(
        some, [another, *before], segment, actions
    )


@given(rules, labellings, texts, words, st.integers(0, 3))
def test_a_rule_taken_away_never_denies_more(
    some: list[Rule], given_labels: list[Labelling], segment: str, actions: frozenset[str], at: int
) -> None:
    fewer = some[:at] + some[at + 1 :]

    assert denied(fewer, given_labels, segment, actions) <= denied(
        some, given_labels, segment, actions
    )


@given(rules, labellings, texts, some_words, words)
def test_another_marketing_action_never_allows_more(
    some: list[Rule],
    given_labels: list[Labelling],
    segment: str,
    actions: frozenset[str],
    more: frozenset[str],
) -> None:
    said = denied(some, given_labels, segment, actions)

    assert said <= denied(some, given_labels, segment, actions | more)
    assert said <= denied(some, given_labels, segment, frozenset())


@given(rules, labellings, texts, words)
def test_a_denial_names_what_the_segment_and_the_destination_have(
    some: list[Rule], given_labels: list[Labelling], segment: str, actions: frozenset[str]
) -> None:
    policy = Policy(some, given_labels)
    for rule_, labels, marketing_actions in policy.denials(segment, actions):
        assert labels <= policy.labels_of(segment)
        assert marketing_actions <= actions
        assert bool(labels) is (rule_.labels is not None)
        assert marketing_actions <= (rule_.marketing_actions or frozenset())
