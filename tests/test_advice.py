"""Every reason that makes calls wait has its words, and no words are left over."""

from connector.advice import ADVICE
from connector.core.outcome import Halted, Retryable
from connector.delivery.settlement import REJECTS_ALL
from connector.tiktok import protocol


def test_every_reason_to_wait_or_to_halt_is_explained() -> None:
    outcomes = [
        *(protocol.classify(200, b'{"code":%d}' % code) for code in range(39_000, 70_100)),
        protocol.classify(200, b'{"code":40002,"message":"audience is processing"}'),
        *(protocol.classify(status, b"") for status in (200, 302, 404, 429, 500, 503)),
        protocol.timed_out(),
        protocol.disconnected(sent=True),
        protocol.unusable_token(),
    ]
    reasons = {one.reason for one in outcomes if isinstance(one, Retryable | Halted)}

    assert ADVICE.keys() == reasons | {REJECTS_ALL}


def test_words_are_whole_sentences() -> None:
    for reason, (meaning, remedy) in ADVICE.items():
        for text in (meaning, remedy):
            assert text[0].isupper(), reason
            assert text.endswith("."), reason
