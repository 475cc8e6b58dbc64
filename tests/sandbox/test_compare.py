from connector.sandbox.compare import Line, compare

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def test_equal_sets_are_equal() -> None:
    audiences = {"1": {"EMAIL_SHA256": {A, B}}, "2": {}}
    found = compare(audiences, audiences, {(0, 1)}, {(0, 1)})
    assert found.equal
    assert found.audiences == [Line("1", 2, 2, 0, 0), Line("2", 0, 0, 0, 0)]
    assert found.total == Line("all audiences", 2, 2, 0, 0)
    assert found.letters == Line("dead letters", 1, 1, 0, 0)


def test_a_type_without_members_is_no_difference() -> None:
    assert compare({"1": {"EMAIL_SHA256": set()}}, {"1": {}}, set(), set()).equal


def test_a_missing_and_an_extra_digest_are_found() -> None:
    expected = {"1": {"EMAIL_SHA256": {A, B}}, "2": {"EMAIL_SHA256": {A}}}
    actual = {"1": {"EMAIL_SHA256": {A, C}}, "2": {"EMAIL_SHA256": {A}}}
    found = compare(expected, actual, set(), set(), {"1": "emea/churned"})
    assert found.audiences == [Line("emea/churned", 2, 2, 1, 1), Line("2", 1, 1, 0, 0)]
    assert [line.equal for line in found.audiences] == [False, True]
    assert found.total == Line("all audiences", 3, 3, 1, 1)
    assert not found.equal


def test_a_digest_of_another_type_is_another() -> None:
    found = compare({"1": {"IDFA_SHA256": {A}}}, {"1": {"AAID_SHA256": {A}}}, set(), set())
    assert found.total == Line("all audiences", 1, 1, 1, 1)


def test_an_audience_that_only_one_side_has() -> None:
    found = compare({"1": {"EMAIL_SHA256": {A}}}, {"2": {"EMAIL_SHA256": {A}}}, set(), set())
    assert found.audiences == [Line("1", 1, 0, 1, 0), Line("2", 0, 1, 0, 1)]


def test_letters_that_differ_are_a_difference() -> None:
    found = compare({}, {}, {(0, 1), (1, 1)}, {(1, 1), (2, 1), (3, 1)})
    assert found.letters == Line("dead letters", 2, 3, 1, 2)
    assert found.total.equal
    assert not found.equal
