"""Which calls are under way at once, and what they share."""

from connector.sandbox.emulator.under_way import CallsUnderWay

EMAIL = "EMAIL_SHA256"


def listening() -> bool:
    return True


def holding(
    *digests: bytes, audience: str = "1", kind: str = EMAIL
) -> dict[str, dict[str, set[bytes]]]:
    return {audience: {kind: set(digests)}}


def test_two_calls_share_what_both_hold() -> None:
    calls = CallsUnderWay()
    first, second = calls.arrive(listening), calls.arrive(listening)

    assert calls.read(first, holding(b"a", b"b")) == 0
    assert calls.read(second, holding(b"b", b"c")) == 1
    assert len(calls) == 2


def test_another_audience_or_type_is_another_identifier() -> None:
    calls = CallsUnderWay()
    calls.read(calls.arrive(listening), holding(b"a"))

    assert calls.read(calls.arrive(listening), holding(b"a", audience="2")) == 0
    assert calls.read(calls.arrive(listening), holding(b"a", kind="PHONE_SHA256")) == 0


def test_a_call_that_left_before_shares_nothing() -> None:
    calls = CallsUnderWay()
    first = calls.arrive(listening)
    calls.read(first, holding(b"a"))
    calls.leave(first)
    calls.leave(first)

    assert calls.read(calls.arrive(listening), holding(b"a")) == 0
    assert len(calls) == 1


def test_a_call_answered_while_another_one_was_being_read_was_under_way_with_it() -> None:
    calls = CallsUnderWay()
    slow, quick = calls.arrive(listening), calls.arrive(listening)
    calls.read(quick, holding(b"a"))
    calls.leave(quick)

    assert calls.read(slow, holding(b"a")) == 1


def test_a_caller_who_hung_up_is_not_compared_with() -> None:
    calls = CallsUnderWay()
    listens = True
    gone = calls.arrive(lambda: listens)
    calls.read(gone, holding(b"a"))
    listens = False
    again = calls.arrive(listening)

    assert calls.read(again, holding(b"a")) == 0
    calls.leave(gone)
    assert len(calls) == 1


def test_an_upload_that_never_ends_does_not_hold_all_that_comes_after_it() -> None:
    calls = CallsUnderWay()
    calls.arrive(listening)
    for _ in range(1000):
        ticket = calls.arrive(listening)
        calls.read(ticket, holding(b"a"))
        calls.leave(ticket)

    assert len(calls._calls) <= 101
